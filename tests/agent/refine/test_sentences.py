from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.agent.refine.sentences import MAX_PASSAGE_CHARS, sentences


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    "whole",
    [
        "Built by Mr. A. Pollock for St. Olan in No. 5 slip.",
        "The mole (c. 1902) is 3.5 m wide, i.e. narrow.",
        "She left at 5 p.m. on a Monday.",
        "It was the U.S. Navy that came.",
        "Some of it... went on.",
    ],
)
def test_a_dot_inside_a_sentence_does_not_end_it(whole: str) -> None:
    assert cut(whole) == [whole]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("灯台は1871年に建てられた。高さは20メートルである。今は無人だ。", 3),
        ("谁建造了它？没有人知道！也许是波洛克。", 3),
        ("Маяк построен в 1871 году. Он стоит на скале.", 2),
        ("بُني المنارة عام 1871. من بناها؟ لا أحد يعرف.", 3),
        ("यह दीपस्तंभ पुराना है। इसे किसने बनाया?", 2),
        ("¿Quién lo hizo? ¡Nadie lo sabe! “Así es.” Fin.", 4),
    ],
)
def test_sentences_end_in_other_scripts(text: str, count: int) -> None:
    assert len(cut(text)) == count


@given(st.text(alphabet="ab. \n!?()“”,A1。、", max_size=2000))
def test_pieces_are_literal_ordered_bounded_and_lose_nothing(text: str) -> None:
    spans = list(sentences(text))
    assert all(0 < end - start <= MAX_PASSAGE_CHARS for start, end in spans)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    kept = "".join(text[start:end] for start, end in spans)
    assert "".join(kept.split()) == "".join(text.split())


@pytest.mark.parametrize(
    "text",
    [
        "A. " * 300_000,
        ". " + " " * 1_000_000 + "a",
        "." * 1_000_000,
        "." + "(" * 1_000_000,
        "x" * 1_000_000,
        ". (" * 300_000,
    ],
    ids=["initials", "spaces", "dots", "brackets", "wall", "openings"],
)
def test_hostile_texts_take_linear_time(text: str) -> None:
    began = time.process_time()
    assert sum(1 for _ in sentences(text)) <= len(text)
    assert time.process_time() - began < 6  # 0.5 s on an idle core
