"""`edge-agent library` on real files, from adding to removing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edge_agent.cli.main import app

from .shell import Shell


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "lamp.md").write_text("# The lamp\n\nIt was lit in 1871.")
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\xff")
    return folder


def told(shell: Shell, *arguments: str | Path) -> tuple[dict[str, Any], str]:
    """The JSON of a command, and what it said beside."""
    runner = CliRunner(env=shell.environment())
    done = runner.invoke(app, ["library", *map(str, arguments), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout), done.stderr


def test_a_library_lives_from_add_to_remove(shell: Shell, docs: Path) -> None:
    made, said = told(shell, "add", "isles", docs, "--words-only")
    (one,) = made["libraries"]
    assert (one["name"], one["documents"], one["changed"], one["without_embedding"]) == (
        "isles", 1, 1, 1,
    )  # fmt: skip
    assert "photo.jpg was skipped" in said and "1 documents, 1 new" in said

    found, _ = told(shell, "search", "isles", "when was it lit", "--words-only")
    assert found["results"][0]["url"] == "library://isles/lamp.md"
    assert "1871" in found["results"][0]["snippet"] and found["milliseconds"] > 0

    (docs / "net.txt").write_text("Nets are mended in spring.")
    synced, _ = told(shell, "sync", "--words-only")
    assert synced["libraries"][0]["changed"] == 1

    listed, _ = told(shell, "list")
    (row,) = listed["libraries"]
    assert (row["kind"], row["location"], row["documents"]) == ("folder", str(docs), 2)
    assert row["synced_at"] and row["bytes"] > 0
    shown = CliRunner(env=shell.environment()).invoke(app, ["library", "list"])
    assert "isles" in shown.stdout and "folder" in shown.stdout

    assert told(shell, "remove", "isles")[0] == {"removed": "isles"}
    assert told(shell, "list")[0] == {"libraries": []}


def test_embeddings_are_made_and_used(shell: Shell, docs: Path, embedder_dir: Path) -> None:
    (docs / "net.txt").write_text("Herring is caught with nets.")
    made, _ = told(shell, "add", "isles", docs)
    assert made["libraries"][0]["without_embedding"] == 0
    found, _ = told(shell, "search", "isles", "a beacon that guides sailors")
    assert found["results"][0]["title"] == "The lamp"
    assert told(shell, "search", "isles", "a beacon", "--words-only")[0]["results"] == []


def test_the_agents_search_reaches_the_shelf(shell: Shell, docs: Path, tmp_path: Path) -> None:
    told(shell, "add", "isles", docs, "--words-only")
    (tmp_path / "quays").mkdir()
    (tmp_path / "quays" / "oak.txt").write_text("The lamp of the quay is of oak.")

    def asked(*arguments: str | Path) -> tuple[str, list[str]]:
        runner = CliRunner(env=shell.environment())
        done = runner.invoke(app, ["search", "lamp", "--json", *map(str, arguments)])
        assert done.exit_code == 0, done.output
        found = json.loads(done.stdout)
        return found["queries"][0]["engine"], [each["url"] for each in found["results"]]

    assert asked() == ("isles", ["library://isles/lamp.md"])
    both = asked("--library", "isles", "--library", tmp_path / "quays")
    assert both[0] == "isles, quays" and len(both[1]) == 2
    assert asked("--library", tmp_path / "quays")[0] == "quays"


def test_json_lines_keep_their_addresses(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "pages.jsonl"
    file.write_text(json.dumps({"title": "Quay", "text": "Of oak.", "url": "https://q.example/"}))
    told(shell, "add", "quays", file, "--words-only")
    found, _ = told(shell, "search", "quays", "oak", "--words-only")
    assert found["results"][0]["url"] == "https://q.example/"


def test_an_add_that_came_to_nothing_leaves_its_name_free(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "is empty" in shell.refused("library", "add", "isles", tmp_path / "empty")
    (tmp_path / "x.zim").write_bytes(b"no zim" * 99)
    assert "no ZIM file" in shell.refused("library", "add", "x", tmp_path / "x.zim", "--in-place")
    assert told(shell, "list")[0] == {"libraries": []}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("add", "isles", "/nowhere/at/all"), "There is no /nowhere/at/all"),
        (("add", "a/b", "."), "no name for a library"),
        (("add", "isles", ".", "--kind", "tape"), "use folder"),
        (("sync", "quays"), "There is no library 'quays'"),
        (("search", "quays", "x"), "There is no library 'quays'"),
        (("remove", "quays"), "There is no library 'quays'"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    shell: Shell, arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in shell.refused("library", *arguments)
