"""The index finds documents by their words and names and is never tripped by a query."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import StoreError
from edge_agent.store.library.index import LibraryIndex
from edge_agent.store.library.match import any_of, words_of
from edge_agent.store.library.names import name_of
from edge_agent.store.library.records import Document, Known
from edge_agent.store.library.schema import MIGRATIONS

FILLER = "The harbour opens at dawn and the gulls know it. " * 60


def doc(path: str, title: str, text: str, url: str = "") -> Document:
    return Document(path, f"hash of {text}", title, text, "text/html", url)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> LibraryIndex:
    index = LibraryIndex(tmp_path_factory.mktemp("index") / "isles.db")
    index.update(
        [
            doc("light.html", "The Marrow Light", f"A tower. {FILLER} Ilse Varn kept the lamp."),
            doc("ferry.html", "Ferry timetable", f"{FILLER} The Ostrey passes the Marrow Light."),
            doc("ilse.html", "Ilse Varn", "Born in 1871; she mended nets before she kept lamps."),
            doc("cafe.html", "Café Ångström (Quay)", "Кофе и 茶 are served.", "https://c.example"),
        ]
    )
    return index


def found(index: LibraryIndex, query: str) -> list[tuple[str, float]]:
    scored = index.search(any_of(words_of(query)), 4.0, 10)
    entries = index.entries([one for one, _ in scored])
    return [(entries[one].path, score) for one, score in scored]


def paths(index: LibraryIndex, query: str) -> list[str]:
    return [path for path, _ in found(index, query)]


def test_words_in_the_title_weigh_more(index: LibraryIndex) -> None:
    assert paths(index, "Who was Ilse Varn?")[0] == "ilse.html"
    assert paths(index, "marrow light")[0] == "light.html"


def test_scores_fall_along_the_list(index: LibraryIndex) -> None:
    scores = [score for _, score in found(index, "the marrow light ilse")]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)


def test_a_run_of_words_in_a_title_counts_as_a_rare_word(index: LibraryIndex) -> None:
    plain = index.search(any_of(["marrow", "light", "harbour"]), 1.0, 5)
    named = index.search(any_of(["marrow", "light", "harbour"], [("marrow", "light")]), 1.0, 5)
    assert index.entries([named[0][0]]).popitem()[1].path == "light.html"
    assert named[0][1] > dict(plain)[named[0][0]]
    assert index.search(any_of([], [("light", "marrow")]), 1.0, 5) == []


def test_the_snippet_shows_the_passage_that_matches(index: LibraryIndex) -> None:
    ids = {path: one for one, path in ((e.id, e.path) for e in index.entries(range(9)).values())}
    match = any_of(words_of("kept the lamp"))
    snippets = index.snippets([ids["light.html"], ids["cafe.html"]], match)
    assert set(snippets) == {ids["light.html"]}
    assert "Ilse Varn kept the lamp." in snippets[ids["light.html"]]
    assert len(snippets[ids["light.html"]].split()) <= 64
    assert index.beginnings([ids["cafe.html"]], 4) == {ids["cafe.html"]: "Кофе"}


def test_forms_of_a_word_and_accents_do_not_matter(index: LibraryIndex) -> None:
    assert "ilse.html" in paths(index, "mending net")
    assert paths(index, "cafe angstrom") == ["cafe.html"]
    assert paths(index, "кофе") == ["cafe.html"]


def test_documents_are_found_by_name_and_by_address(index: LibraryIndex) -> None:
    names = [name_of("Café Ångström"), "ilse varn", "nobody", *(f"n{i}" for i in range(2000))]
    known = index.named(names)
    entries = index.entries([one for ids in known.values() for one in ids])
    assert {entry.path for entry in entries.values()} == {"cafe.html", "ilse.html"}
    at = index.at("https://c.example")
    assert at is not None and at.path == "cafe.html" and index.at("") is None


def test_a_name_is_the_title_without_its_signs() -> None:
    assert name_of("Café Ångström (Quay)") == "cafe angstrom"
    assert name_of("O'Brien's: the «Last» one!") == "obriens the last one"
    assert name_of("(brackets)") == "brackets"
    assert name_of("Ferry times | Stennowe") == "ferry times" == name_of("Ferry times – Isle")
    assert name_of("Salt-road – 2 – Isle") == "salt road 2" and name_of("- Isle") == "isle"
    assert name_of("w " * 11) == "" == name_of("?!")


@pytest.mark.parametrize(
    "query",
    [
        '"', "OR", "OR NOT", "light AND", "(light", "light*", "title:light", "NEAR(q z)", "q-z",
        "'", "light' OR 1=1 --", "\0light", "^light", "{light}", "\ud800light", "-", "", "  ",
        "+light +",
    ],
)  # fmt: skip
def test_operators_in_a_query_are_only_words(index: LibraryIndex, query: str) -> None:
    assert ("light.html" in paths(index, query)) == ("light" in query)


@given(query=st.text())
def test_no_text_at_all_trips_the_search(index: LibraryIndex, query: str) -> None:
    index.search(any_of(words_of(query), [words_of(query)]), 4.0, 5)
    index.snippets([1, 2], any_of(words_of(query)))


def test_a_long_query_is_cut_not_refused(index: LibraryIndex) -> None:
    assert paths(index, "ilse " + " ".join(f"w{n}" for n in range(5000))) != []
    assert any_of(words_of("a a A b")) == '"a" OR "b"'


def test_a_changed_document_is_found_by_its_new_words_only(tmp_path: Path) -> None:
    index = LibraryIndex(tmp_path / "i.db")
    index.update([doc("a", "A", "herring"), doc("b", "B", "herring")])
    index.update([doc("a", "A", "mackerel")], removed=["b"])
    assert paths(index, "herring") == []
    assert paths(index, "mackerel") == ["a"]
    assert index.known() == {"a": Known("hash of mackerel")} and len(index) == 1
    index.note(kind="folder")
    index.close()
    again = LibraryIndex(tmp_path / "i.db")
    assert paths(again, "mackerel") == ["a"]
    document = again.get("a")
    assert document is not None and document.text == "mackerel"
    assert again.get("b") is None
    assert again.fact("kind") == "folder" and again.fact("else") == ""


def test_an_index_of_the_first_version_is_taken_over(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "i.db")
    for statement in MIGRATIONS[0].split(";\n"):
        old.execute(statement)
    old.execute("INSERT INTO documents VALUES (1, 'a', 'h', 'A', 'herring', 'text/plain')")
    old.execute("INSERT INTO words (rowid, title, text) VALUES (1, 'A', 'herring')")
    old.execute("PRAGMA user_version=1")
    old.commit()
    old.close()
    index = LibraryIndex(tmp_path / "i.db")
    assert paths(index, "herring") == ["a"] and index.known() == {"a": Known("h")}


def test_a_file_that_is_no_index_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "i.db").write_bytes(b"not an index" * 100)
    with pytest.raises(StoreError):
        LibraryIndex(tmp_path / "i.db")
