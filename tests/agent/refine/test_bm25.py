from __future__ import annotations

import time

import numpy as np

from edge_agent.agent.refine.bm25 import bm25, z_scores

TEXTS = [
    "The ferry leaves at nine.",
    "The smack Thrift was built by Ane Pollock.",
    "Herrings were sold on the quay.",
    "Fares rose in the spring.",
]


def test_the_text_with_the_rare_words_is_best() -> None:
    assert int(np.argmax(bm25("who built the Thrift", TEXTS))) == 1


def test_unknown_words_and_no_texts_score_nothing() -> None:
    assert not bm25("zebra", TEXTS).any()
    assert not bm25("", TEXTS).any()
    assert bm25("zebra", []).shape == (0,)


def test_words_of_the_title_count_where_they_are_asked_to() -> None:
    titles = ["Timetable", "Smacks", "Market", "Timetable"]
    assert not bm25("timetable", TEXTS, titles).any()
    assert list(np.nonzero(bm25("timetable", TEXTS, titles, 0.5))[0]) == [0, 3]


def test_a_script_without_spaces_is_searched() -> None:
    texts = ["灯台は一八七一年に建てられた。", "魚市場は月曜日に開く。"]
    assert int(np.argmax(bm25("市場はいつ開く", texts))) == 1


def test_z_scores_of_equal_scores_are_zero() -> None:
    assert not z_scores(np.ones(4)).any()


def test_a_book_takes_a_moment() -> None:
    texts = [f"On day {i} the harbour office recorded some boats and much rain." for i in range(60)]
    began = time.process_time()
    bm25("Which boats were recorded in the harbour on day 30?", texts * 1000)
    assert time.process_time() - began < 5  # 0.4 s on an idle core
