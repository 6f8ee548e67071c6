"""Edits of prompts: with an engine that notes them, a server elsewhere, and a real model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.chat.edits import merged, park, prune, resume, rollback, without
from edge_agent.chat.messages import ChatRequest, Completion, Done, Message
from edge_agent.chat.model import ChatModel
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.vocab import Vocab
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import (
    Edit,
    Edited,
    LoadSpec,
    Park,
    Prune,
    Resume,
    Rollback,
    SamplingParams,
    Usage,
)
from edge_agent.errors import NotFound

from .backend import Says
from .fakes import CHATML, FakeEngine, FakeVocab
from .talk import talk

GREEDY = SamplingParams(temperature=0)
N_CTX = 2048


class Notes(FakeEngine):
    """Keeps the edits it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.edits: list[Edit] = []

    async def edit(self, edit: Edit) -> Edited:
        self.edits.append(edit)
        return Edited(3, 2)


def fake_chat() -> tuple[ChatModel, Notes]:
    engine = Notes()
    return ChatModel("fake", FakeVocab(), engine, ChatTemplate(CHATML), 4096, GREEDY), engine


def asked(text: str) -> ChatRequest:
    return ChatRequest((Message("user", text),), max_tokens=8)


def wrote(*ids: int) -> Completion:
    return Completion("", "", (), Done("stop", Usage(), ids))


def test_spans_that_touch_are_one() -> None:
    assert merged([(5, 7), (1, 2), (2, 4), (6, 9), (3, 3)]) == [(1, 4), (5, 9)]


async def test_spans_are_cut_from_the_last_to_the_first_each_at_its_place() -> None:
    chat, engine = fake_chat()
    prompt = chat.prepare(asked("0123456789"))
    ids = prompt.ids
    pruned, edited = await prune(chat, prompt, [(2, 4), (10, 13)], wrote(7, 8))
    assert edited == Edited(3, 2)
    assert engine.edits == [
        Prune((*ids, 7, 8), 10, 13),
        Prune((*ids[:10], *ids[13:], 7, 8), 2, 4),
    ]
    assert pruned.ids == ids[:2] + ids[4:10] + ids[13:]
    assert pruned.params.accept_pruned
    assert without(prompt, [(2, 4), (10, 13)]).ids == pruned.ids


async def test_what_goes_on_from_a_pruned_prompt_accepts_what_was_pruned() -> None:
    chat, _ = fake_chat()
    prompt = chat.prepare(asked("0123456789"))
    reply = (Message("user", "more"),)
    assert not chat.extend(prompt, wrote(7), reply, asked("")).params.accept_pruned
    pruned, _ = await prune(chat, prompt, [(2, 4)])
    longer = chat.extend(pruned, wrote(7), reply, asked(""))
    assert longer.params.accept_pruned
    assert chat.extend(longer, wrote(8), reply, asked("")).params.accept_pruned
    assert longer.ids[: len(prompt.ids) - 1] == (*pruned.ids, 7)


async def test_a_prompt_names_what_is_rolled_back_and_put_away() -> None:
    chat, engine = fake_chat()
    prompt = chat.prepare(asked("0123456789"))
    await rollback(chat, prompt, wrote(7, 8))
    await park(chat, prompt, "run 1")
    await resume(chat, "run 1")
    assert engine.edits == [
        Rollback((*prompt.ids, 7, 8), len(prompt.ids)),
        Park("run 1", prompt.ids),
        Resume("run 1"),
    ]


async def test_a_server_elsewhere_edits_nothing_and_says_so_once() -> None:
    async with talk(Says()) as t:
        prompt = t.chat.prepare(asked("0123456789"))
        same, edited = await prune(t.chat, prompt, [(2, 4)], wrote())
        assert (same.ids, same.request, edited) == ((), prompt.request, Edited(0, 0))
        assert await rollback(t.chat, prompt, wrote()) == Edited(0, 0)
        assert await resume(t.chat, "never parked") == Edited(0, 0)
        assert t.chat.locate(prompt, ["0123", "x"]) == (None, None)
        assert len([line for line in t.said if "cache cannot be edited" in line]) == 1


@pytest.fixture
async def real(smollm2_path: Path) -> AsyncIterator[ChatModel]:
    engine = EngineClient(LoadSpec(str(smollm2_path), N_CTX, 256, 2, 1), notice=print)
    await engine.start()
    vocab = Vocab.load(smollm2_path)
    yield ChatModel("smollm2", vocab, engine, ChatTemplate.of(vocab), N_CTX, GREEDY)
    await engine.close()


async def test_after_a_prune_a_real_model_computes_the_new_tokens_only(real: ChatModel) -> None:
    facts = [f"[{i}] The bell of port {i} weighs {i * 70} kilograms." for i in range(1, 21)]
    prompt = real.prepare(asked("\n".join(["Facts:", *facts, "How heavy is bell 3?"])))
    said = await real.complete(prompt)
    places = real.locate(prompt, [facts[4], facts[10]])
    spans = [place for place in places if place is not None]
    assert len(spans) == 2
    pruned, edited = await prune(real, prompt, spans, said)
    n_cut = sum(stop - start for start, stop in spans)
    assert n_cut > 20
    assert len(pruned.ids) == len(prompt.ids) - n_cut
    # the last generated token was never computed
    assert edited.held == len(pruned.ids) + len(said.done.ids) - 1
    assert edited.exact == spans[0][0]
    longer = real.extend(pruned, said, (Message("user", "And bell 9?"),), asked(""))
    usage = (await real.complete(longer)).done.usage
    assert usage.cached_tokens == edited.held
    unaccepting = replace(longer, params=replace(longer.params, accept_pruned=False))
    assert (await real.complete(unaccepting)).done.usage.cached_tokens <= edited.exact


async def test_a_real_prompt_is_put_away_and_comes_back(real: ChatModel) -> None:
    prompt = real.prepare(asked(" ".join(f"word {i}" for i in range(60))))
    said = await real.complete(prompt)
    n = len(prompt.ids)
    assert (await rollback(real, prompt, said)).held == n
    assert (await park(real, prompt, "mine")).held == n
    assert (await resume(real, "mine")).exact == n
    assert (await real.complete(prompt)).done.usage.cached_tokens == n - 1
    with pytest.raises(NotFound):
        await resume(real, "mine")
