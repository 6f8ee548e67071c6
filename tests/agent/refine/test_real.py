"""The refiner beside a transcript in a real engine process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge_agent.agent.prompts import prompt
from edge_agent.agent.refine.evidence import Evidence
from edge_agent.agent.refine.ranker import Ranker
from edge_agent.agent.refine.refiner import NoteBudget, Refiner
from edge_agent.chat.messages import ChatRequest, Message
from edge_agent.chat.model import ChatModel
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.vocab import Vocab
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import LoadSpec, SamplingParams
from edge_agent.tools.base import Page

N_CTX = 1024
NEEDLE = "The Thrift was built by Ane Pollock at the Lower Slip."
FILLER = [f"On day {i} of the year the harbour office recorded {i} boats." for i in range(1, 46)]


@pytest.fixture
async def chat(smollm2_path: Path) -> AsyncIterator[ChatModel]:
    engine = EngineClient(LoadSpec(str(smollm2_path), N_CTX, 256, 4, 1), notice=print)
    await engine.start()
    vocab = Vocab.load(smollm2_path)
    greedy = SamplingParams(temperature=0)
    yield ChatModel("smollm2", vocab, engine, ChatTemplate.of(vocab), N_CTX, greedy)
    await engine.close()


def page(number: int, lines: list[str]) -> Page:
    url = f"http://h/{number}"
    return Page(url, f"Log {number}", " ".join(lines), "text/html", "web", "2026-01-01T00:00:00Z")


async def test_a_refine_costs_the_transcript_none_of_its_cells(chat: ChatModel) -> None:
    told = " ".join(FILLER[:38])
    request = ChatRequest((Message("user", f"{told} What was recorded?"),), max_tokens=8)
    opening = chat.prepare(request)
    first = await chat.complete(opening)
    known = first.done.usage.prompt_tokens + first.done.usage.completion_tokens

    refiner = Refiner(chat, Ranker(None), NoteBudget(3, 300, 90), prompt("condense"))
    evidence = Evidence()
    pages = [page(1, [*FILLER[:20], NEEDLE]), page(2, [NEEDLE[:-1] + " in 1871.", *FILLER[25:]])]
    refined = await refiner.refine(pages, "the builder", "Who built the Thrift?", evidence)
    assert refined.completion is not None  # both pages were shown to the model
    usage = refined.completion.done.usage
    assert known + usage.prompt_tokens + usage.completion_tokens > N_CTX  # cells ran short
    assert all(fact.passage.text in fact.page.text for fact in evidence)

    going_on = chat.extend(opening, first, (Message("user", "And on day 3?"),), request)
    second = await chat.complete(going_on)
    assert second.done.usage.cached_tokens >= known - 2
