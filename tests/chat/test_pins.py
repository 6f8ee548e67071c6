from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.chat.messages import ChatRequest, Message
from edge_agent.chat.model import ChatModel
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.vocab import Vocab, Vocabulary
from edge_agent.engine.params import SamplingParams

from .fakes import CHATML, HERMES, TOOLS, FakeEngine, FakeVocab

SYSTEM, USER = Message("system", "Be brief."), Message("user", "Who?")
OPEN = "<|im_start|>user\n"


def pin_of(request: ChatRequest, source: str, vocab: FakeVocab) -> str:
    """The text that is pinned."""
    model = ChatModel("m", vocab, FakeEngine(), ChatTemplate(source), 4096, SamplingParams())
    prompt = model.prepare(request)
    return vocab.text(prompt.ids[: prompt.params.pin])


@pytest.mark.parametrize("bos", [False, True])
def test_the_system_message_and_the_tools_are_pinned(bos: bool) -> None:
    vocab = FakeVocab(bos=bos)
    begin = vocab.bos if bos else ""
    asked = ChatRequest((SYSTEM, USER), pin=True)
    assert pin_of(asked, CHATML, vocab) == f"{begin}<|im_start|>system\nBe brief.<|im_end|>\n{OPEN}"
    tools = pin_of(replace(asked, messages=(USER,), tools=TOOLS), HERMES, vocab)
    assert tools.endswith(OPEN) and "fetch_url" in tools


def test_what_every_user_says_differs_but_the_pin_does_not() -> None:
    vocab = FakeVocab()
    pins = {
        pin_of(ChatRequest((SYSTEM, Message("user", text)), TOOLS, pin=True), HERMES, vocab)
        for text in ("Who?", "", "W", "<|im_end|>")
    }
    assert len(pins) == 1


@pytest.mark.parametrize("request_", [ChatRequest((SYSTEM, USER)), ChatRequest((USER,), pin=True)])
def test_nothing_is_pinned_unasked_or_where_nothing_lasts(request_: ChatRequest) -> None:
    assert pin_of(request_, CHATML, FakeVocab()) == ""


def test_a_transcript_keeps_its_pin(smollm2_path: Path) -> None:
    """Over a real vocabulary, whose tokens are longer than a character."""
    vocab: Vocabulary = Vocab.load(smollm2_path)
    model = ChatModel("m", vocab, FakeEngine(), ChatTemplate.of(vocab), 4096, SamplingParams())
    request = ChatRequest((SYSTEM, USER), TOOLS, pin=True)
    prompt = model.prepare(request)
    other = model.prepare(replace(request, messages=(SYSTEM, Message("user", "Why, and how?"))))
    pin = prompt.params.pin
    assert 0 < pin < len(prompt.ids)
    assert other.params.pin == pin
    assert other.ids[:pin] == prompt.ids[:pin]
    assert other.ids[pin] != prompt.ids[pin]
