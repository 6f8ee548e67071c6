"""The refiner and the tool-calling loop with a real model in a real engine process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import pytest_asyncio

from edge_agent.agent.explore.profile import PROFILES
from edge_agent.agent.prompts import prompt
from edge_agent.agent.records import Limits, Task
from edge_agent.agent.refine.condense import CONDENSE_TOKENS
from edge_agent.agent.refine.evidence import Evidence
from edge_agent.agent.refine.ranker import Ranker
from edge_agent.agent.refine.refiner import NoteBudget, Refiner
from edge_agent.agent.runs.service import AgentService
from edge_agent.chat.model import ChatModel
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.vocab import Vocab
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import LoadSpec, SamplingParams
from edge_agent.store.journal import open_journal
from edge_agent.store.runs import RunStore
from edge_agent.tools.base import Page

from .fakes import HARBOUR, World

pytestmark = pytest.mark.asyncio(loop_scope="module")
N_CTX = 4096
NEEDLE = "The Thrift was built by Ane Pollock at the Lower Slip."
FILLER = [f"On day {i} of the year the harbour office recorded {i} boats." for i in range(1, 60)]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def chat(qwen_path: Path) -> AsyncIterator[ChatModel]:
    engine = EngineClient(LoadSpec(str(qwen_path), N_CTX, 256, 4, 1), notice=print)
    await engine.start()
    vocab = Vocab.load(qwen_path)
    greedy = SamplingParams(temperature=0)
    yield ChatModel("qwen", vocab, engine, ChatTemplate.of(vocab), N_CTX, greedy)
    await engine.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with closing(open_journal(tmp_path / "journal.sqlite")) as journal:
        yield RunStore(journal)


async def test_a_real_model_condenses_on_its_own_sequence_by_pointing(chat: ChatModel) -> None:
    text = " ".join([*FILLER[:30], NEEDLE, *FILLER[30:]])
    page = Page("http://h/p", "Harbour", text, "text/html", "web", "2026-01-01T00:00:00Z")
    evidence = Evidence()
    refiner = Refiner(chat, Ranker(None), NoteBudget(1, 300, 120), prompt("condense"))
    refined = await refiner.refine([page], "the builder", "Who built the Thrift?", evidence)
    assert refined.completion is not None
    assert refined.completion.done.usage.completion_tokens <= CONDENSE_TOKENS
    assert all(fact.passage.text in text for fact in evidence)
    assert sum(chat.count(fact.line) for fact in evidence) <= 130


async def test_tool_calls_of_a_real_model_go_on_from_their_own_tokens(
    chat: ChatModel, store: RunStore
) -> None:
    world = World(HARBOUR)
    profile = replace(PROFILES["qwen"], turn_tokens=64)
    agent = AgentService(chat, profile, lambda _: world.tools(), store, None)
    limits = Limits(steps=2, seconds=300)
    run = await agent.run(Task("Who built the smack that carried the bell?", limits=limits))
    assert run.reason is not None
    assert run.answer
    assert run.steps[0].actions  # the first turn must call a tool
    assert all(citation.quote in HARBOUR[citation.url] for citation in run.citations)
    for before, after in pairwise(run.steps):
        known = before.prompt_tokens + before.completion_tokens
        assert after.cached_tokens >= known - 2
        assert after.prompt_tokens > known
