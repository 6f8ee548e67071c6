"""Ablations take away what they name, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.agent.refine.passages import split
from edge_agent.agent.refine.ranker import Ranker
from edge_agent.chat.messages import ChatRequest, Grammar, Message
from edge_agent.errors import RequestError
from edge_agent.eval.without import ChatWithout, known, weights

from ..agent.fakes import FakeChat

ASKED = ChatRequest(
    (Message("user", "Hello"),), response_schema={}, grammar=Grammar("regex", "a"), speculate=None
)


def prepared(*parts: str) -> ChatRequest:
    chat = FakeChat([])
    ChatWithout(chat, parts).prepare(ASKED)
    return chat.requests[-1]


def test_without_nothing_a_request_is_as_it_was() -> None:
    assert prepared() == ASKED


def test_without_constraints_the_model_writes_what_it_likes() -> None:
    request = prepared("constraints")
    assert (request.response_schema, request.grammar) == (None, None)
    assert request.speculate is None


def test_without_lookup_nothing_is_drafted() -> None:
    assert prepared("lookup").speculate is False
    assert prepared("lookup").response_schema == {}


def test_without_ranking_passages_keep_their_order() -> None:
    text = "\n\n".join(f"Sentence {n} is about {word}." for n, word in enumerate(["a", "bell"] * 4))
    passages = split(text)
    titles = ["Harbour"] * len(passages)
    flat = Ranker(None, weights(known(["ranking"]))).scores("the bell", titles, passages)
    assert list(np.argsort(-flat, kind="stable")) == list(range(len(passages)))
    ranked = Ranker(None, weights(known([]))).scores("the bell", titles, passages)
    assert list(np.argsort(-ranked, kind="stable")) != list(range(len(passages)))


def test_an_unknown_part_is_refused_by_name() -> None:
    with pytest.raises(RequestError, match="constraints, lookup, ranking"):
        known(["gravity"])
