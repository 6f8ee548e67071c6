"""A folder of documents answers queries, follows its files, and gives nothing else away."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edge_agent.errors import FetchError, LibraryError
from edge_agent.tools.library.folder import Folder
from edge_agent.tools.library.library import Library
from edge_agent.tools.library.sync import Refreshed
from tests.tools.fakes import ARTICLE, pdf
from tests.tools.read.docx import docx
from tests.tools.read.docx import p as paragraph

from .fakes import Topics


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "isles"
    (root / "people").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / "light.html").write_text(ARTICLE, encoding="utf-8")
    (root / "people" / "ilse varn.md").write_text("# Ilse Varn\n\nShe kept the lamp.")
    (root / "rules.pdf").write_bytes(pdf(["No fires on the quay."], title="Harbour rules"))
    (root / "fares.csv").write_text("ship,crowns\nOstrey,12\n")
    (root / "log.docx").write_bytes(docx(paragraph("The bell rang twice at noon.")))
    (root / "photo.jpg").write_bytes(b"\xff\xd8\xff")
    (root / "broken.html").write_bytes(b"\0\1\2" * 99)
    (root / ".git" / "notes.txt").write_text("hidden words")
    (tmp_path / "outside.txt").write_text("outside words")
    return root


def open_library(folder: Path, base_url: str = "") -> Library:
    index = folder.parent / "index" / "isles.db"
    return Library("isles", Folder(folder), index, base_url)


async def test_every_kind_of_document_is_found_by_its_words(folder: Path) -> None:
    library = open_library(folder)
    for query, url, title in (
        ("steps of the lighthouse on North Rock", "light.html", "The Marrow Light"),
        ("who kept the lamp", "people/ilse%20varn.md", "Ilse Varn"),
        ("fires quay", "rules.pdf", "Harbour rules"),
        ("Ostrey crowns", "fares.csv", "fares.csv"),
        ("when the bell rang", "log.docx", "log.docx"),
    ):
        hit = (await library.search(query, 5))[0]
        assert (hit.url, hit.title, hit.source) == (f"library://isles/{url}", title, "isles")
    assert await library.search("hidden", 5) == await library.search("outside", 5) == []


async def test_a_hit_can_be_fetched_and_quoted(folder: Path) -> None:
    library = open_library(folder)
    hit = (await library.search("lamp", 1))[0]
    page = await library.fetch(hit.url)
    assert (page.url, page.title, page.source) == (hit.url, "Ilse Varn", "isles")
    assert "She kept the lamp." in page.text and page.media_type == "text/markdown"


def test_only_what_changed_is_read_again(folder: Path) -> None:
    library = open_library(folder)
    first = library.refresh()
    assert first == Refreshed(documents=5, changed=5, removed=0, skipped=2)
    assert dict(first.problems)["photo.jpg"] == "files of its kind are not read"
    assert library.refresh() == Refreshed(documents=5, changed=0, removed=0, skipped=2)
    (folder / "fares.csv").unlink()
    (folder / "people" / "ilse varn.md").write_text("# Ilse Varn\n\nShe mended nets.")
    assert library.refresh() == Refreshed(documents=4, changed=1, removed=1, skipped=2)
    assert asyncio.run(library.search("Ostrey", 5)) == []
    assert len(asyncio.run(library.search("nets", 5))) == 1
    library.close()
    assert open_library(folder).refresh().changed == 0


async def test_with_a_base_url_hits_point_to_the_server(folder: Path) -> None:
    library = open_library(folder, "http://127.0.0.1:8000/")
    hit = (await library.search("lamp", 1))[0]
    assert hit.url == "http://127.0.0.1:8000/people/ilse%20varn.md"
    assert (await library.fetch(hit.url)).title == "Ilse Varn"
    assert (await library.fetch("library://isles/people/ilse%20varn.md")).url == hit.url
    assert not await library.holds(hit.url)  # the server is asked for what it serves


OUTSIDE = (
    "../outside.txt",
    "..%2Foutside.txt",
    "/etc/hosts",
    "people/../../outside.txt",
    "",
    ".git/notes.txt",
    "photo.jpg",
    "%00",
    "light.html/../../outside.txt",
    "broken.html",
)


async def test_nothing_but_an_indexed_document_can_be_named(folder: Path) -> None:
    library = open_library(folder)
    for path in OUTSIDE:
        with pytest.raises(FetchError, match="has no document"):
            await library.fetch(f"library://isles/{path}")


async def test_a_missing_or_empty_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="does not exist or is not a folder"):
        open_library(tmp_path / "none").refresh()
    (tmp_path / "empty").mkdir()
    library = open_library(tmp_path / "empty")
    for _ in range(2):
        with pytest.raises(LibraryError, match="is empty"):
            await library.search("x", 5)
    (tmp_path / "empty" / "now.txt").write_text("Something at last.")
    assert len(await library.search("something", 5)) == 1


async def test_a_damaged_index_is_a_sentence(folder: Path) -> None:
    index = folder.parent / "index" / "isles.db"
    index.parent.mkdir()
    index.write_bytes(b"this is not an index" * 99)
    with pytest.raises(LibraryError, match="cannot be indexed"):
        await open_library(folder).search("lamp", 5)


def test_a_pdf_that_never_ends_costs_itself_and_nothing_else(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.pdf").write_bytes(pdf(["word"] * 1_000_000))
    (docs / "b.txt").write_text("The lamp was lit in 1871.")
    refreshed = Library("isles", Folder(docs, read_s=1), tmp_path / "isles.db").refresh()
    assert (refreshed.documents, refreshed.skipped) == (1, 1)
    assert "took more than 1 seconds" in dict(refreshed.problems)["a.pdf"]


async def test_many_searches_at_once_index_only_once(folder: Path) -> None:
    library = open_library(folder)
    found = await asyncio.gather(*(library.search("lamp", 5) for _ in range(10)))
    assert all(len(hits) == 1 for hits in found)


async def test_meanings_are_filled_in_behind_and_then_found(folder: Path) -> None:
    library, topics = open_library(folder), Topics("lighthouse", "fires", "net", "crowns")
    library.embed_with(topics, "topics")
    await asyncio.to_thread(library.refresh)
    assert library.counts() == (5, 5)
    assert [hit.title for hit in await library.search("a beacon", 5)] == []
    while library.fill():
        pass
    assert library.counts() == (5, 0)
    found = await library.search("burn fires, cook", 5)
    assert found[0].title == "Harbour rules"
    n_read = len(topics.read)
    (folder / "fares.csv").write_text("ship,crowns\nOstrey,14\n")
    await asyncio.to_thread(library.refresh)
    assert library.fill() == 1 and len(topics.read) == n_read + 1


async def test_a_document_found_by_meaning_alone_shows_how_it_begins(folder: Path) -> None:
    library = open_library(folder)
    library.embed_with(Topics("lamp"), "topics")
    await asyncio.to_thread(library.refresh)
    while library.fill():
        pass
    hits = {hit.title: hit.snippet for hit in await library.search("lampions?", 5)}
    assert "She kept the lamp." in hits["Ilse Varn"]
