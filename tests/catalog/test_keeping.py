from __future__ import annotations

import errno
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.catalog.card import Card, ModelFile, PathSpec
from edge_agent.catalog.catalog import Catalog
from edge_agent.catalog.keeping import bring, check, find, remove
from edge_agent.errors import BadModelFile, NotFound, RequestError

NOTHING = b"GGUF" + (3).to_bytes(4, "little") + bytes(24)  # a whole file of no tensors


def card(data: bytes = NOTHING, name: str = "m.gguf") -> Card:
    file = ModelFile(name, len(data), hashlib.sha256(data).hexdigest())
    source = PathSpec(Path("/there"), {name: name})
    return Card("m", "M", "chat", "MIT", 1, 1, 1, 1, "plain", 1, (file,), (source,), {})


def test_a_model_is_found_by_its_name_or_its_files(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(NOTHING)
    catalog = Catalog([card()])
    assert find("M", tmp_path, catalog).path == find("m.GGUF", tmp_path, catalog).path
    with pytest.raises(NotFound, match=r"x is not installed in .*; installed: m"):
        find("x", tmp_path, catalog)
    with pytest.raises(NotFound, match="installed: none"):
        find("m", tmp_path / "empty", catalog)


def test_a_check_sees_another_byte(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(NOTHING)
    catalog = Catalog([card()])
    assert "size and hash" in check(find("m", tmp_path, catalog), tmp_path)
    path.write_bytes(NOTHING[:-1] + b"\1")
    model = replace(find("m", tmp_path, catalog), problem=None)
    with pytest.raises(BadModelFile, match="sha256"):
        check(model, tmp_path)
    path.write_bytes(b"page")
    with pytest.raises(BadModelFile, match="not a GGUF"):
        check(find("m", tmp_path, catalog), tmp_path)


def test_a_file_without_a_card_is_whole_or_not(tmp_path: Path) -> None:
    (tmp_path / "own.gguf").write_bytes(NOTHING)
    assert "no card" in check(find("own", tmp_path, Catalog([])), tmp_path)


def test_removing_frees_what_it_says_and_leaves_the_others(tmp_path: Path) -> None:
    for name in ("m.gguf", "own.gguf"):
        (tmp_path / name).write_bytes(NOTHING)
    catalog = Catalog([card()])
    assert remove(find("m", tmp_path, catalog), tmp_path) == len(NOTHING)
    assert [path.name for path in tmp_path.iterdir()] == ["own.gguf"]
    (tmp_path / "own.gguf").write_bytes(b"damaged")
    remove(find("own", tmp_path, catalog), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_several_files_goes_as_one(tmp_path: Path) -> None:
    two = replace(
        card(), name="pair", files=(ModelFile("a.gguf"), ModelFile("b.gguf")), kind="embedding"
    )
    for path in two.paths(tmp_path):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(NOTHING)
    remove(find("pair", tmp_path, Catalog([two])), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_brought_in_by_a_link_or_a_copy(tmp_path: Path) -> None:
    source = tmp_path / "mine.gguf"
    source.write_bytes(NOTHING)
    linked = bring(source, tmp_path / "models")
    assert linked.samefile(source)
    with pytest.raises(RequestError, match="edge-agent rm mine"):
        bring(source, tmp_path / "models")

    def other_disk(_: Path, __: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    copied = bring(source, tmp_path / "other", other_disk)
    assert copied.read_bytes() == NOTHING
    assert not copied.samefile(source)


def test_what_is_no_model_is_not_brought_in(tmp_path: Path) -> None:
    page = tmp_path / "page.gguf"
    page.write_text("<html>")
    with pytest.raises(BadModelFile):
        bring(page, tmp_path / "models")
    assert not (tmp_path / "models").exists()
