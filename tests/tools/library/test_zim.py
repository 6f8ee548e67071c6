"""A ZIM file, written here by libzim itself, is a library of its articles."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.errors import FetchError, LibraryError
from edge_agent.tools.library.library import Library
from edge_agent.tools.library.zim import Zim
from edge_agent.tools.library.zim_in_place import ZimInPlace

writer = pytest.importorskip("libzim.writer")

PAGES = {
    "A/Marrow_Light": ("Marrow Light", "text/html", "<html><head><title>x</title></head><body>"
                       "<main><h1>Marrow Light</h1><p>A tower on North Rock, lit in 1871 by "
                       "<a href='Ilse_Varn'>Ilse Varn</a>.</p></main></body></html>"),
    "A/Ilse_Varn": ("Ilse Varn", "text/html;charset=utf-8",
                    "<html><body><p>She kept the lämp.</p></body></html>"),
    "A/notes": ("Notes", "text/plain", "The quay was built of oak."),
    "-/style.css": ("", "text/css", "p { color: red }"),
    "I/photo.png": ("", "image/png", "\x89PNG"),
    "A/hollow": ("Hollow", "text/html", "<html><body><script>x()</script></body></html>"),
}  # fmt: skip


def make_item(path: str, title: str, media_type: str, text: str) -> object:
    class Article(writer.Item):  # type: ignore[name-defined,misc]
        def get_path(self) -> str:
            return path

        def get_title(self) -> str:
            return title

        def get_mimetype(self) -> str:
            return media_type

        def get_contentprovider(self) -> object:
            return writer.StringProvider(text)

        def get_hints(self) -> dict[object, int]:
            return {writer.Hint.FRONT_ARTICLE: int(media_type.startswith("text/html"))}

    return Article()


def write_zim(file: Path, indexed: bool = False) -> Path:
    with writer.Creator(file).config_indexing(indexed, "eng") as creator:
        for path, (title, media_type, text) in PAGES.items():
            creator.add_item(make_item(path, title, media_type, text))
        creator.add_redirection("A/The_Light", "The Light", "A/Marrow_Light", {})
        for name, value in {"Title": "Isles", "Language": "eng", "Date": "2024-01-01"}.items():
            creator.add_metadata(name, value)
    return file


@pytest.fixture
def library(tmp_path: Path) -> Library:
    zim = write_zim(tmp_path / "isles.zim")
    return Library("isles", Zim(zim), tmp_path / "index.sqlite")


async def test_its_articles_are_found_and_read(library: Library) -> None:
    refreshed = library.refresh()
    assert (refreshed.documents, refreshed.skipped) == (3, 1)
    assert refreshed.problems[0][0] == "A/hollow"
    hit, named = await library.search("When was the tower lit?", 5)
    assert named.title == "Ilse Varn"  # whom the first page names
    assert (hit.title, hit.url) == ("Marrow Light", "library://isles/A/Marrow_Light")
    assert "lit in 1871" in (await library.fetch(hit.url)).text
    (hit,) = await library.search("lämp", 5)
    assert hit.title == "Ilse Varn" and "lämp" in hit.snippet
    assert len(await library.search("oak", 5)) == 1


def test_an_unchanged_file_is_not_read_twice(library: Library) -> None:
    library.refresh()
    again = library.refresh()
    assert (again.documents, again.changed, again.removed) == (3, 0, 0)


async def test_a_large_file_is_searched_in_place_by_its_own_index(tmp_path: Path) -> None:
    zim = write_zim(tmp_path / "isles.zim", indexed=True)
    library = ZimInPlace("isles", zim)
    assert library.refresh().documents == library.counts()[0] > 0
    hits = await library.search("When was the tower on North Rock lit, and herring?", 5)
    assert [hit.title for hit in hits] == ["Marrow Light", "Ilse Varn"]  # found, and named by it
    assert hits[0].url == "library://isles/A/Marrow_Light" and "lit in 1871" in hits[0].snippet
    assert (await library.search("Who was Ilse Varn?", 5))[0].title == "Ilse Varn"
    assert "kept the lämp" in (await library.fetch(hits[1].url)).text
    assert (await library.fetch("library://isles/A/The_Light")).title == "Marrow Light"
    assert await library.search("xyzzy", 5) == [] == await library.search("?!", 5)
    with pytest.raises(FetchError, match="has no document"):
        await library.fetch("library://isles/A/Nobody")


def test_without_an_index_of_its_own_a_file_cannot_be_searched_in_place(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="without --in-place"):
        ZimInPlace("isles", write_zim(tmp_path / "isles.zim")).refresh()
    (tmp_path / "x.zim").write_bytes(b"no zim" * 200)
    with pytest.raises(LibraryError, match="no ZIM file"):
        ZimInPlace("x", tmp_path / "x.zim").refresh()


def test_what_is_no_zim_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.zim").write_bytes(b"no zim" * 200)
    for file in (tmp_path / "x.zim", tmp_path / "none.zim"):
        with pytest.raises(LibraryError, match="no ZIM file that can be read"):
            Library("x", Zim(file), tmp_path / "i.sqlite").refresh()
