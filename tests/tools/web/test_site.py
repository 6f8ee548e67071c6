"""A folder over HTTP: the right types, nothing outside the folder."""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest

from edge_agent.errors import LibraryError
from edge_agent.tools.web.site import Site
from tests.patience import HANG_S


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    (root / "sub").mkdir(parents=True)
    (root / "index.html").write_text("<h1>Héllo</h1>", encoding="utf-8")
    (root / "sub" / "a.pdf").write_bytes(b"%PDF-1.4")
    (root / "notes.bin").write_bytes(b"\0")
    (tmp_path / "secret.txt").write_text("secret")
    return root


def get(site: Site, path: str) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection(site.host, timeout=HANG_S)
    connection.request("GET", path)
    answer = connection.getresponse()
    found = answer.status, answer.headers.get("content-type", ""), answer.read()
    connection.close()
    return found


def test_files_come_with_their_types(folder: Path) -> None:
    with Site(folder) as site:
        assert get(site, "/") == (200, "text/html; charset=utf-8", "<h1>Héllo</h1>".encode())
        assert get(site, "/sub/a.pdf")[:2] == (200, "application/pdf")
        assert get(site, "/notes.bin")[:2] == (200, "application/octet-stream")
        assert site.url == f"http://{site.host}/"


def test_nothing_outside_is_served_and_nothing_is_listed(folder: Path) -> None:
    with Site(folder) as site:
        for path in ("/../secret.txt", "/%2e%2e/secret.txt", "//secret.txt", "/sub/", "/gone"):
            status, _, body = get(site, path)
            assert status == 404 and b"secret" not in body.replace(b"secret.txt", b"")


def test_the_port_is_free_again_after_the_block(folder: Path) -> None:
    with Site(folder) as site:
        host = site.host
    with pytest.raises(OSError):
        http.client.HTTPConnection(host, timeout=1).connect()


def test_a_missing_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="not a folder"):
        Site(tmp_path / "none")
