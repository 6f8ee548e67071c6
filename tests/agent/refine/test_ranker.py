from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.agent.refine.passages import Passage
from edge_agent.agent.refine.ranker import Ranker, bm25, words, z_scores
from edge_agent.tools.embed import Embedder

TEXTS = [
    "The ferry leaves at nine.",
    "The smack Thrift was built by Ane Pollock.",
    "Herrings were sold on the quay.",
    "Fares rose in the spring.",
]
PASSAGES = [Passage(i, text, "") for i, text in enumerate(TEXTS)]


def test_plurals_and_little_words_do_not_matter() -> None:
    assert words("The ships of the harbours") == words("a ship in harbour")


def test_bm25_finds_the_text_with_the_rare_words() -> None:
    assert int(np.argmax(bm25("who built the Thrift", TEXTS))) == 1


def test_bm25_of_unknown_words_and_no_texts_is_zero() -> None:
    assert not bm25("zebra", TEXTS).any()
    assert bm25("zebra", []).shape == (0,)


def test_z_scores_of_equal_scores_are_zero() -> None:
    assert not z_scores(np.ones(4)).any()


class Meaning:
    """An embedder for which only the third text means what the query means."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        same = [i == 0 or "Herrings" in text for i, text in enumerate(texts)]
        return np.array([[1.0, 0.0] if s else [0.0, 1.0] for s in same], np.float32)


def test_meaning_finds_what_words_do_not() -> None:
    scores = Ranker(Meaning()).scores("fish trade", ["Quay"] * 4, PASSAGES)
    assert int(np.argmax(scores)) == 2
    assert not bm25("fish trade", TEXTS).any()


def test_a_neighbour_of_a_good_passage_gains() -> None:
    scores = Ranker(None).scores("Thrift built Pollock", [""] * 4, PASSAGES)
    assert scores[2] > scores[3]


@pytest.mark.parametrize("n", [0, 1])
def test_few_passages_are_no_special_case(n: int) -> None:
    assert Ranker(Meaning()).scores("x", [""] * n, PASSAGES[:n]).shape == (n,)


def test_real_embeddings_rank_the_paraphrase_first(embedder_dir: Path) -> None:
    scores = Ranker(Embedder(embedder_dir)).scores("When does the boat depart?", [""] * 4, PASSAGES)
    assert int(np.argmax(scores)) == 0
