"""Gold paragraphs in the shapes that data sets have."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.eval.gold import Passage, gold_of

THRIFT = Passage("Thrift & Co", "She was a smack. She sank.")


@pytest.mark.parametrize(
    "record",
    [
        {
            "paragraphs": [
                {"title": "Bell", "sentences": ["No."], "supporting": False},
                {
                    "title": "Thrift &amp; Co",
                    "sentences": ["She was a smack.", " She sank."],
                    "supporting": True,
                },
            ]
        },
        {
            "paragraphs": [
                {"title": "Bell", "paragraph_text": "No.", "is_supporting": False},
                {
                    "title": "Thrift & Co",
                    "paragraph_text": "She was a smack. She sank.",
                    "is_supporting": True,
                },
            ]
        },
        {"context": [["Bell", ["No."]], ["Thrift & Co", ["She was a smack.", "She sank."]]]},
        {"contexts": [{"title": "Thrift & Co", "text": "She was a smack. She sank."}]},
        {"gold_paragraphs": [{"title": "Thrift & Co", "text": "She was a smack. She sank."}]},
    ],
)
def test_supporting_paragraphs_are_found(record: dict[str, Any]) -> None:
    assert gold_of(record, ["thrift & co"]) == (THRIFT,)


def test_gold_paragraphs_need_no_title() -> None:
    assert gold_of({"gold_paragraphs": ["She sank."]}, []) == (Passage("", "She sank."),)


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"paragraphs": "text"},
        {"paragraphs": [1, None, {}, ["x"], [1, 2]]},
        {"paragraphs": [{"title": "Bell", "text": "No.", "supporting": False}]},
        {"context": [["Bell", ["No."]]]},
    ],
)
def test_a_record_without_any_has_none(record: dict[str, Any]) -> None:
    assert gold_of(record, ["Thrift"]) == ()
