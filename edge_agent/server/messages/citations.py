"""What a text cites, as Anthropic has it: a block of text for each claim that has proof."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from edge_agent.chat.messages import Cited, Text

Json = dict[str, Any]


def blocks_of(text: Text) -> Iterator[tuple[str, Sequence[Cited]]]:
    """The text in pieces, each with what it cites, which is nothing between the claims."""
    at = 0
    for since, marks in groupby(text.citations, _begins):
        cited = tuple(marks)
        start, end = max(since, at), max(mark.end for mark in cited)
        between = text.text[at:start]
        if between.strip():
            yield between, ()
            between = ""
        yield between + text.text[start:end], cited
        at = end
    if rest := text.text[at:]:
        yield rest, ()


def citation(cited: Cited) -> Json:
    """A page, in the shape of one that was found by searching."""
    return {
        "type": "web_search_result_location",
        "url": cited.url,
        "title": cited.title,
        "cited_text": cited.quote,
        "encrypted_index": "",
    }


def _begins(cited: Cited) -> int:
    return cited.start if cited.since is None else cited.since
