"""What is wrong before a model runs: one sentence on stderr, status 1, nothing on stdout."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from .shell import Shell

SMALL = ("--model", "smollm2-135m-instruct", "--threads", "1")
ASK = ("run", "Who?", "--json", *SMALL)


def test_a_library_that_is_no_folder(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("<p>Words")
    for given in (tmp_path / "nowhere", file, f"manuals={tmp_path}/nowhere"):
        assert "is not a folder" in shell.refused(*ASK, "--library", given)


def test_two_libraries_of_one_name(shell: Shell, tmp_path: Path) -> None:
    for folder in ("a/docs", "b/docs"):
        (tmp_path / folder).mkdir(parents=True)
    twice = [f for n in "ab" for f in ("--library", tmp_path / n / "docs")]
    assert "NAME=FOLDER" in shell.refused(*ASK, *twice)


@pytest.mark.parametrize("url", ["localhost:8888", "ftp://host/", "http://", "http://[::1", "x"])
def test_a_search_url_that_is_none(shell: Shell, url: str) -> None:
    sentence = shell.refused(*ASK, "--search", "http://127.0.0.1:8888", "--search", url)
    assert "--search takes a URL" in sentence and repr(url) in sentence


def test_an_empty_task(shell: Shell) -> None:
    assert "say what to find out" in shell.refused("run", "  ", "--json", *SMALL)


def test_a_port_in_use_is_known_before_a_model_is_loaded(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = shell.refused("serve", *SMALL, "--port", str(port))
    assert f"Port {port} on 127.0.0.1 is in use" in sentence and "--port" in sentence


def test_a_host_that_is_not_ours(shell: Shell) -> None:
    assert "192.0.2.1 is not an address of this machine" in shell.refused(
        "serve", *SMALL, "--host", "192.0.2.1", "--port", "0"
    )


def test_a_model_nobody_knows(shell: Shell) -> None:
    sentence = shell.refused("run", "Who?", "--json", "--model", "smolm2-135m-instruct")
    assert "Did you mean smollm2-135m-instruct?" in sentence


@pytest.mark.parametrize(
    ("name", "kept", "said"),
    [
        ("cut.gguf", 0.5, "is cut"),
        ("header.gguf", 0.001, "is cut"),
        ("text.gguf", 0, "is not a GGUF file"),
        ("missing.gguf", None, "is not a file"),
    ],
)
def test_a_file_that_is_no_whole_model_is_named(
    shell: Shell, smollm2_path: Path, tmp_path: Path, name: str, kept: float | None, said: str
) -> None:
    path = tmp_path / name
    if kept is not None:
        whole = smollm2_path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * kept)] or b"Once upon a time")
    for command in (("serve", "--port", "0"), ("run", "Who?", "--json")):
        sentence = shell.refused(*command, "--model", path)
        assert said in sentence and name in sentence


def test_a_context_that_does_not_fit_is_refused_with_numbers(shell: Shell) -> None:
    sentence = shell.refused("serve", *SMALL, "--port", "0", "--ctx-size", "1000000000")
    needed, available = map(float, re.findall(r"([\d.]+) GiB", sentence))
    assert needed > available > 0
    assert "use --ctx-size" in sentence


def test_a_template_file_that_is_missing_or_broken(shell: Shell, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jinja"
    broken.write_text("{% for m in messages %}")
    for path in (tmp_path / "none.jinja", broken):
        sentence = shell.refused("serve", *SMALL, "--port", "0", "--chat-template-file", path)
        assert path.name in sentence


def test_a_data_folder_that_cannot_be_made(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    inside = str(tmp_path / "file" / "data")
    serve = ("serve", *SMALL, "--port", "0")
    assert inside in shell.refused(*serve, EDGE_AGENT_DATA_DIR=inside)
    library = ("--library", "examples/site")
    assert inside in shell.refused(*serve, *library, EDGE_AGENT_CACHE_DIR=inside)
