"""What a question names, what is like it, and what the best pages name are found together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_agent.store.library.index import LibraryIndex
from edge_agent.store.library.records import Document
from edge_agent.store.library.vectors import VectorTable
from edge_agent.tools.library.asked import asked
from edge_agent.tools.library.links import linked, names_in, titled
from edge_agent.tools.library.meaning import Meanings
from edge_agent.tools.library.ranking import Ranking
from edge_agent.tools.library.weights import WEIGHTS, Weights

from .fakes import Topics

NOISE = [(f"Stone {n}", f"A stone of the film kind, number {n}.") for n in range(30)]
PAGES = [
    ("The Salt Road", "The Salt Road is a 1934 film directed by Bror Ott. It was shot in Marrow."),
    ("Bror Ott", "Bror Ott (1890-1961) grew up in Stennowe, as the son of a chandler."),
    ("Ott", "A river."),
    ("Stennowe", "A town of nets and herring."),
    ("Salt", "It is got from the sea."),
    *NOISE,
]
WORDS = replace(WEIGHTS, meaning=0.0, named=0.0, linked=0.0)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> LibraryIndex:
    index = LibraryIndex(tmp_path_factory.mktemp("ranking") / "i.db")
    index.update(Document(t, f"hash of {t}", t, text, "text/plain") for t, text in PAGES)
    return index


def titles(index: LibraryIndex, ids: list[int]) -> list[str]:
    entries = index.entries(ids)
    return [entries[one].title for one in ids]


def found(
    index: LibraryIndex, question: str, weights: Weights, meanings: Meanings | None = None
) -> list[str]:
    return titles(index, Ranking(index, meanings, weights).find(asked(question), 5))


QUESTION = "Where did the director of the film The Salt Road grow up?"


def test_a_page_that_the_best_page_names_is_found_though_no_word_leads_there(
    index: LibraryIndex,
) -> None:
    assert "Bror Ott" not in found(index, "The Salt Road film", WORDS)[:5]
    best = found(index, "The Salt Road film", replace(WORDS, linked=0.9))
    assert best[0] == "The Salt Road" and "Bror Ott" in best[:3]
    assert "Ott" not in best  # it stands inside a longer name


def test_a_page_whose_title_the_question_says_is_found_before_others(index: LibraryIndex) -> None:
    question = "film stones of the kind of The Salt Road and Stennowe"
    assert "Stennowe" in found(index, question, replace(WORDS, named=1.0))[:2]
    assert titles(index, titled(index, asked(question).names)) == ["The Salt Road", "Stennowe"]


def test_names_of_better_pages_come_first(index: LibraryIndex) -> None:
    ids = {entry.title: one for one, entry in index.entries(range(1, 40)).items()}
    named = linked(index, [ids["Bror Ott"], ids["The Salt Road"]])
    assert titles(index, named) == ["Stennowe", "Bror Ott"]
    assert linked(index, []) == []


def test_names_run_from_capital_to_capital() -> None:
    assert list(names_in("The film of Bror Ott. Shot by him in 1934")) == [
        "the film of bror", "the film of bror ott", "bror", "bror ott", "ott",
        "shot", "shot by him in 1934",
    ]  # fmt: skip


def test_words_and_meanings_are_fused(index: LibraryIndex) -> None:
    meanings = Meanings(VectorTable(index.database), Topics("chandler", "herring"), "topics")
    while meanings.fill():
        pass
    by_meaning = replace(WORDS, words=0.0, meaning=1.0)
    assert found(index, "a chandler's boy", by_meaning, meanings)[0] == "Bror Ott"
    both = found(index, "herring and salt", replace(WORDS, meaning=1.0), meanings)
    assert set(both[:2]) == {"Stennowe", "Salt"} or both[0] == "Stennowe"
    assert found(index, "herring", by_meaning) == []
    few = Meanings(VectorTable(index.database), Topics("chandler", "herring"), "topics", held=3)
    assert found(index, "herring of Stennowe", replace(WORDS, meaning=3.0), few)[0] == "Stennowe"


def test_a_question_of_nothing_finds_nothing(index: LibraryIndex) -> None:
    assert found(index, "?!", WEIGHTS) == [] == found(index, "xyzzy", WEIGHTS)
