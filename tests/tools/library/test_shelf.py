"""The libraries of a device are files that know what they were made of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_agent.errors import ConfigError, LibraryError, NotFound, StoreError
from edge_agent.store.library.index import LibraryIndex
from edge_agent.tools.library.shelf import MadeOf, Shelf, kind_of
from edge_agent.tools.library.source import silent
from edge_agent.tools.web.client import WebClient


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "shelf", WebClient)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "lamp.md").write_text("# The lamp\n\nIt was lit in 1871.")
    return tmp_path / "docs"


async def test_a_library_is_added_synced_listed_searched_and_removed(
    shelf: Shelf, docs: Path
) -> None:
    made_of = MadeOf("folder", str(docs))
    library = shelf.add("isles", made_of)
    with pytest.raises(LibraryError, match="library sync isles fills it"):
        await library.search("lamp", 5)
    assert shelf.sync("isles", library, silent).documents == 1
    assert [hit.url for hit in await library.search("lamp", 5)] == ["library://isles/lamp.md"]
    library.close()
    (listed,) = shelf.listed()
    assert (listed.name, listed.made_of, listed.documents, listed.waiting) == (
        "isles", made_of, 1, 1,
    )  # fmt: skip
    assert listed.synced_at.endswith("+00:00") and shelf.names() == ["isles"]
    shelf.remove("isles")
    assert shelf.names() == [] and docs.exists()
    assert list(listed.file.parent.iterdir()) == []


async def test_it_is_searched_where_its_source_is_not(shelf: Shelf, docs: Path) -> None:
    shelf.sync("isles", shelf.add("isles", MadeOf("folder", str(docs))), silent)
    (docs / "lamp.md").unlink()
    docs.rmdir()
    library = shelf.open("isles")
    assert len(await library.search("lamp", 5)) == 1
    with pytest.raises(LibraryError, match="not a folder"):
        shelf.sync("isles", library, silent)
    assert len(await library.search("lamp", 5)) == 1


def test_names_are_checked(shelf: Shelf, docs: Path) -> None:
    for name in ("", "../x", "a/b", ".hidden", "x" * 65, "a b"):
        with pytest.raises(ConfigError, match="no name for a library"):
            shelf.add(name, MadeOf("folder", str(docs)))
        with pytest.raises(NotFound):
            shelf.open(name)
    shelf.add("isles", MadeOf("folder", str(docs)))
    with pytest.raises(ConfigError, match="already"):
        shelf.add("isles", MadeOf("folder", str(docs)))
    with pytest.raises(NotFound, match="there is: isles"):
        shelf.remove("quays")
    with pytest.raises(ConfigError, match="use folder, jsonl"):
        shelf.add("odd", MadeOf("tape", "x"))
    with pytest.raises(ConfigError, match="Only a ZIM file"):
        shelf.add("odd", MadeOf("folder", str(docs), in_place=True))
    assert shelf.names() == ["isles"]


def test_a_file_that_is_no_library_is_told(shelf: Shelf, tmp_path: Path) -> None:
    index = LibraryIndex(tmp_path / "shelf" / "odd.sqlite")
    index.note(made_of=json.dumps({"kind": "folder"}))
    index.close()
    with pytest.raises(StoreError, match="does not say what it was made of"):
        shelf.open("odd")


def test_what_a_location_is_can_be_seen(docs: Path, tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text("{}")
    (tmp_path / "w.ZIM").write_text("")
    assert kind_of(str(docs)) == "folder"
    assert kind_of("https://docs.example/en/") == "website"
    assert kind_of(str(tmp_path / "p.jsonl")) == "jsonl"
    assert kind_of(str(tmp_path / "w.ZIM")) == "zim"
    for given, told in ((docs / "lamp.md", "give their folder"), (tmp_path / "no", "There is no")):
        with pytest.raises(ConfigError, match=told):
            kind_of(str(given))
