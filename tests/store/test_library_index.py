"""The index finds documents by their words and is never tripped by a query."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import StoreError
from edge_agent.store.library_index import Document, LibraryIndex, match_expression

FILLER = "The harbour opens at dawn and the gulls know it. " * 60


def doc(path: str, title: str, text: str) -> Document:
    return Document(path, f"hash of {text}", title, text, "text/html")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> LibraryIndex:
    index = LibraryIndex(tmp_path_factory.mktemp("index") / "isles.db")
    index.update(
        [
            doc("light.html", "The Marrow Light", f"A tower. {FILLER} Ilse Varn kept the lamp."),
            doc("ferry.html", "Ferry timetable", f"{FILLER} The Ostrey passes the Marrow Light."),
            doc("ilse.html", "Ilse Varn", "Born in 1871; she mended nets before she kept lamps."),
            doc("cafe.html", "Café Ångström", "Кофе и 茶 are served."),
        ]
    )
    return index


def paths(index: LibraryIndex, query: str) -> list[str]:
    return [hit.path for hit in index.search(query)]


def test_words_in_the_title_weigh_more(index: LibraryIndex) -> None:
    assert paths(index, "Who was Ilse Varn?")[0] == "ilse.html"
    assert paths(index, "marrow light")[0] == "light.html"


def test_scores_fall_along_the_list(index: LibraryIndex) -> None:
    scores = [hit.score for hit in index.search("the marrow light ilse")]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)


def test_the_snippet_shows_the_passage_that_matches(index: LibraryIndex) -> None:
    hit = next(hit for hit in index.search("kept the lamp") if hit.path == "light.html")
    assert "Ilse Varn kept the lamp." in hit.snippet
    assert len(hit.snippet.split()) <= 64


def test_forms_of_a_word_and_accents_do_not_matter(index: LibraryIndex) -> None:
    assert "ilse.html" in paths(index, "mending net")
    assert paths(index, "cafe angstrom") == ["cafe.html"]
    assert paths(index, "кофе") == ["cafe.html"]


@pytest.mark.parametrize(
    "query",
    [
        '"',
        "OR",
        "OR NOT",
        "light AND",
        "(light",
        "light*",
        "title:light",
        "NEAR(q z)",
        "q-z",
        "'",
        "light' OR 1=1 --",
        "\0light",
        "^light",
        "{light}",
        "\ud800light",
        "-",
        "",
        "  ",
        "+light +",
    ],
)
def test_operators_in_a_query_are_only_words(index: LibraryIndex, query: str) -> None:
    found = paths(index, query)
    assert ("light.html" in found) == ("light" in query)


@given(query=st.text())
def test_no_text_at_all_trips_the_search(index: LibraryIndex, query: str) -> None:
    index.search(query)


def test_a_long_query_is_cut_not_refused(index: LibraryIndex) -> None:
    assert paths(index, "ilse " + " ".join(f"w{n}" for n in range(5000))) != []
    assert match_expression("a a A b") == '"a" OR "b"'


def test_a_changed_document_is_found_by_its_new_words_only(tmp_path: Path) -> None:
    index = LibraryIndex(tmp_path / "i.db")
    index.update([doc("a", "A", "herring"), doc("b", "B", "herring")])
    index.update([doc("a", "A", "mackerel")], removed=["b"])
    assert paths(index, "herring") == []
    assert paths(index, "mackerel") == ["a"]
    assert index.hashes() == {"a": "hash of mackerel"}
    index.close()
    again = LibraryIndex(tmp_path / "i.db")
    assert paths(again, "mackerel") == ["a"]
    document = again.get("a")
    assert document is not None and document.text == "mackerel"
    assert again.get("b") is None


def test_a_file_that_is_no_index_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "i.db").write_bytes(b"not an index" * 100)
    with pytest.raises(StoreError):
        LibraryIndex(tmp_path / "i.db")
