from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.agent.refine.passages import Passage, split
from edge_agent.agent.refine.ranker import Ranker, bm25
from edge_agent.agent.refine.weights import WEIGHTS
from edge_agent.tools.embed import Embedder

TEXTS = [
    "The ferry leaves at nine.",
    "The smack Thrift was built by Ane Pollock.",
    "Herrings were sold on the quay.",
    "Fares rose in the spring.",
]
PASSAGES = [Passage(i, text, "") for i, text in enumerate(TEXTS)]


class Meaning:
    """An embedder for which only the herrings mean what the query means."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked += texts
        same = ["Herrings" in text or "fish" in text for text in texts]
        return np.array([[1.0, 0.0] if s else [0.0, 1.0] for s in same], np.float32)


def best(scores: NDArray[np.float64]) -> int:
    return int(np.argmax(scores))


def test_meaning_finds_what_words_do_not() -> None:
    scores = Ranker(Meaning()).scores("fish trade", ["Quay"] * 4, PASSAGES)
    assert best(scores) == 2
    assert not bm25("fish trade", TEXTS).any()


def test_a_page_that_a_good_passage_names_gains() -> None:
    pages = {
        "Ferry": "The ferry carries mail.",
        "Bell": "The bell was cast for the smack Thrift.",
        "Thrift": "She was built by Ane Pollock.",
        "Heron": "She was built by Ode Brand.",
    }
    passages = [Passage(0, text, "") for text in pages.values()]
    scores = Ranker(None).scores("For which ship was the bell cast?", list(pages), passages)
    assert set(np.argsort(-scores)[:2]) == {1, 2}


def test_a_word_is_no_name() -> None:
    texts = ["The bell was cast for thrift.", "She was built by Ane.", "She was built by Ode."]
    passages = [Passage(0, text, "") for text in texts]
    ranker = Ranker(None, replace(WEIGHTS, terms=0.0))
    scores = ranker.scores("For what was the bell cast?", ["Bell", "Thrift", "Heron"], passages)
    assert scores[1] == scores[2]


@pytest.mark.parametrize(
    "title", ["Thrift", "Thrift (ship)", "Thrift | News", "Thrift (ship) - News"]
)
def test_the_name_of_a_page_is_found_in_its_title(title: str) -> None:
    passages = [Passage(0, "He was born in Mossby.", ""), Passage(0, "She sank at Orvel.", "")]
    scores = Ranker(None).scores("Where did the Thrift go?", ["Lena Tarr - News", title], passages)
    assert best(scores) == 1


def test_a_page_that_the_query_names_gains() -> None:
    passages = [Passage(0, "He was born in Mossby.", ""), Passage(0, "He was born in Orvel.", "")]
    scores = Ranker(None).scores("Where was Ode Brand born?", ["Lena Tarr", "Ode Brand"], passages)
    assert best(scores) == 1


@pytest.mark.parametrize("n", [0, 1])
def test_few_passages_are_no_special_case(n: int) -> None:
    assert Ranker(Meaning()).scores("x", [""] * n, PASSAGES[:n]).shape == (n,)


@pytest.mark.parametrize("query", ["", "?!", "の", "🦆"])
def test_any_query_gives_finite_scores(query: str) -> None:
    assert np.isfinite(Ranker(Meaning()).scores(query, ["A", "", "(B)", "A"], PASSAGES)).all()


def test_nothing_is_embedded_twice() -> None:
    meaning = Meaning()
    ranker = Ranker(meaning)
    first = ranker.scores("fish trade", ["Quay"] * 4, PASSAGES)
    again = ranker.scores("fish trade", ["Quay"] * 4, PASSAGES)
    assert np.array_equal(first, again)
    assert len(meaning.asked) == len(set(meaning.asked))


def test_a_book_is_ranked_in_bounded_time_and_its_needle_found() -> None:
    days = [
        f"On day {i} the harbour office recorded {i} boats and much rain." for i in range(40_000)
    ]
    text = " ".join([*days[:30_000], "The Thrift was built by Ane Pollock.", *days[30_000:]])
    began = time.process_time()
    passages = split(text)
    scores = Ranker(Meaning()).scores("Who built the Thrift?", ["Log"] * len(passages), passages)
    took = time.process_time() - began
    assert "Pollock" in passages[best(scores)].text
    assert took < 6  # 0.6 s on an idle laptop's core


def test_real_embeddings_rank_the_paraphrase_first(embedder_dir: Path) -> None:
    scores = Ranker(Embedder(embedder_dir)).scores(
        "When does the boat depart?", ["A"] * 4, PASSAGES
    )
    assert best(scores) == 0
