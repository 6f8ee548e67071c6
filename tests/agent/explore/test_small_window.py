"""A real small model in a window of 2K tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge_agent.agent.records import Limits
from edge_agent.chat.model import ChatModel
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.vocab import Vocab
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import LoadSpec, SamplingParams

from ..fakes import World
from .kit import PLAIN, Kit

N_CTX = 2048
PAGES = {
    f"http://h/{i}": f"# Smack {i}\n\nThe smack number {i} carried a bell to harbour {i}. "
    + " ".join(f"On day {day} it carried {day} barrels of fish." for day in range(60))
    for i in range(12)
}


@pytest.fixture
async def chat(smollm2_path: Path) -> AsyncIterator[ChatModel]:
    engine = EngineClient(LoadSpec(str(smollm2_path), N_CTX, 256, 4, 1), notice=print)
    await engine.start()
    vocab = Vocab.load(smollm2_path)
    greedy = SamplingParams(temperature=0)
    yield ChatModel("small", vocab, engine, ChatTemplate.of(vocab), N_CTX, greedy)
    await engine.close()


async def test_a_run_in_a_window_of_2k_tokens_ends_with_an_answer_or_not_found(
    chat: ChatModel,
) -> None:
    profile = PLAIN.fitted(N_CTX)
    kit = Kit(chat, World(PAGES), profile, Limits(steps=4, seconds=500), "Who carried the bell?")
    ending = await kit.explorer.explore()
    answer = await kit.explorer.answer(ending)
    assert ending.reason in ("answered", "steps_limit", "repetition", "format_error")
    assert answer.text
    assert all(c.quote in PAGES[c.url] for c in answer.citations)
    assert all(0 < step.prompt_tokens < N_CTX for step in kit.steps[1:])
    assert kit.steps[0].notes
