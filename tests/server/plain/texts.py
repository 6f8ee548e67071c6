"""A server over a model that goes on with plain text, as an engine's script says."""

from __future__ import annotations

import json
from typing import Any

import httpx

from edge_agent.chat.model import ChatModel
from edge_agent.chat.template import ChatTemplate
from edge_agent.engine.params import FinishReason, SamplingParams
from edge_agent.server.services import Defaults, Services
from tests.chat.fakes import CHATML, FakeEngine, FakeVocab
from tests.patience import HANG_S
from tests.server.fakes import FakeAgent

VOCAB = FakeVocab()


def writing(*said: str, reason: FinishReason = "stop", **more: Any) -> Services:
    """Services whose generations say these texts, one after the other."""
    engine = FakeEngine(*(VOCAB.encode(text) for text in said), reason=reason)
    chat = ChatModel("fake", VOCAB, engine, ChatTemplate(CHATML), 4096, SamplingParams())
    defaults = Defaults(SamplingParams(seed=42, temperature=0.5))
    return Services(chat, FakeAgent(), texts=chat.texts, defaults=defaults, **more)


def post(url: str, path: str, **body: Any) -> httpx.Response:
    return httpx.post(url + path, json=body, timeout=HANG_S)


def events(answer: httpx.Response) -> list[Any]:
    """The data of a stream; [DONE] as it stands."""
    assert answer.status_code == 200, answer.text
    lines = (line.removeprefix("data: ") for line in answer.text.split("\n\n") if line)
    return [line if line == "[DONE]" else json.loads(line) for line in lines]
