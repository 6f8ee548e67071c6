"""The window of a run stays within its marks, and what must stay in it does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from edge_agent.agent.memory.items import Item
from edge_agent.agent.memory.memory import Memory, Policy, Way
from edge_agent.agent.memory.recall import recall_tool
from edge_agent.agent.refine.evidence import Evidence
from edge_agent.agent.refine.ranker import Ranker
from edge_agent.chat.messages import ChatRequest, Completion, Done, Message, Prompt
from edge_agent.chat.model import ChatModel
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.vocab import Vocab
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import GenerateParams, LoadSpec, Prune, SamplingParams, Usage
from edge_agent.errors import ContextOverflow

from ..fakes import FakeChat, Says
from .world import TASK, asked, note, tell

CARRIER = "The pier of Ostrey was built by Ines Hald."
DULL = [f"In year {i} the market of Velm sold {i} barrels of salted fish." for i in range(99)]


def memory_over(
    chat: FakeChat, evidence: Evidence, way: Way = "prune", recalls: bool = True
) -> Memory:
    policy = Policy(way, turn_tokens=20, notes_tokens=60, recalls=recalls)
    return Memory(chat, Ranker(None), TASK, evidence, policy)


async def explore(
    chat: FakeChat, memory: Memory, evidence: Evidence, turns: int, mark: bool = True
) -> list[Prompt]:
    """The carrier first, then dull facts, four a turn."""
    prompts = [await memory.next_prompt(asked)]
    for turn in range(turns):
        said = await chat.complete(prompts[-1])
        texts = [CARRIER] if turn == 0 else DULL[turn * 4 : turn * 4 + 4]
        tell(memory, said, note(evidence, f"Page {turn}", texts))
        if mark:
            evidence.mark([1])
        prompts.append(await memory.next_prompt(asked))
    return prompts


def facts_in(memory: Memory) -> set[int]:
    return {s.item.fact for s in memory.spans if s.item is not None and s.item.fact}


async def test_folding_comes_in_batches_and_never_past_the_window() -> None:
    for way in ("prune", "prefill", "drop"):
        chat, evidence = FakeChat([Says("I look on.")], n_ctx=400), Evidence()
        memory = memory_over(chat, evidence, way)  # type: ignore[arg-type]
        prompts = await explore(chat, memory, evidence, 20)
        lengths = [len(prompt.ids) for prompt in prompts]
        assert max(lengths) <= 400 * 0.8
        shorter = [i for i, (a, b) in enumerate(pairwise(lengths)) if b < a]
        assert 2 <= memory.folds == len(shorter) <= 8
        assert all(b - a >= 2 for a, b in pairwise(shorter))
        appended = [i for i in range(20) if i not in shorter]
        assert all(prompts[i + 1].ids[: lengths[i]] == prompts[i].ids for i in appended)


async def test_a_marked_fact_and_the_task_survive_every_fold() -> None:
    chat, evidence = FakeChat([Says("I look on.")], n_ctx=400), Evidence()
    memory = memory_over(chat, evidence)
    prompts = await explore(chat, memory, evidence, 20)
    assert 1 in facts_in(memory)
    assert prompts[-1].ids[: len(prompts[0].ids)] == prompts[0].ids
    assert memory.folds and memory.missing
    assert memory.missing == {fact.number for fact in evidence} - facts_in(memory)


async def test_an_unmarked_fact_that_speaks_to_the_task_outlives_the_dull_ones() -> None:
    chat, evidence = FakeChat([Says("I look on.")], n_ctx=400), Evidence()
    memory = memory_over(chat, evidence)
    await explore(chat, memory, evidence, 6, mark=False)
    assert memory.folds == 1
    assert 1 in facts_in(memory)
    assert 2 in memory.missing
    dropping = memory_over(chat, Evidence(), "drop")
    await explore(chat, dropping, dropping._evidence, 6, mark=False)
    assert 1 in dropping.missing


async def test_what_was_folded_is_told_once_and_can_be_recalled() -> None:
    chat, evidence = FakeChat([Says("I look on.")], n_ctx=400), Evidence()
    memory = memory_over(chat, evidence)
    await explore(chat, memory, evidence, 20)
    notices = [span for span in memory.spans if span.kind == "folded"]
    assert len(notices) == 1
    assert notices[0].item is not None
    assert "recall(ids)" in notices[0].item.text
    assert "[70]-[73] from “Page 18”" in notices[0].item.text
    tool = recall_tool(evidence)
    assert DULL[4] in await tool.call({"ids": [2]})
    silent = memory_over(chat, evidence, recalls=False)
    await explore(chat, silent, evidence, 12)
    assert not [span for span in silent.spans if span.kind == "folded"]


async def test_only_prune_edits_what_is_cached() -> None:
    for way, expected in (("prune", True), ("prefill", False), ("drop", False)):
        chat, evidence = FakeChat([Says("I look on.")], n_ctx=400), Evidence()
        memory = memory_over(chat, evidence, way)  # type: ignore[arg-type]
        prompts = await explore(chat, memory, evidence, 12)
        assert bool(chat.edits) is expected
        assert all(isinstance(edit, Prune) for edit in chat.edits)
        # FakeChat's `extend` makes new params: what is asked of the engine is tested on a real one
        assert memory.folds
        assert prompts


async def test_one_huge_observation_begins_again_from_what_is_known() -> None:
    chat, evidence = FakeChat([Says("I look on.")], n_ctx=300), Evidence()
    memory = memory_over(chat, evidence)
    await explore(chat, memory, evidence, 2)
    said = await chat.complete(await memory.next_prompt(asked))
    tell(memory, said, note(evidence, "Long", DULL[40:80]), text="Results:")
    prompt = await memory.next_prompt(asked)
    assert memory.folds == 1
    assert len(prompt.ids) < 300 * 0.8
    assert 1 in facts_in(memory)  # marked
    assert max(facts_in(memory)) > 5  # and of the newest some
    assert CARRIER in chat.rendered[-1]
    assert "recall(ids)" in chat.rendered[-1]


async def test_the_answer_so_far_is_told_again_after_beginning_again() -> None:
    chat, evidence = FakeChat([Says("I look on.")], n_ctx=300), Evidence()
    memory = memory_over(chat, evidence)
    prompt = await memory.next_prompt(asked)
    answer = Item("answer", "Answer so far: Ines Hald, not yet checked.")
    memory.add(await chat.complete(prompt), (Message("user", answer.text),), [answer])
    prompt = await memory.next_prompt(asked)
    tell(memory, await chat.complete(prompt), note(evidence, "Long", DULL[:60]))
    await memory.next_prompt(asked)
    assert answer.text in chat.rendered[-1]
    assert [span for span in memory.spans if span.kind == "answer"]


async def test_an_objection_keeps_the_answer_it_is_to_in_sight() -> None:
    chat, evidence = FakeChat([Says("Ines Hald.")], n_ctx=300), Evidence()
    memory = memory_over(chat, evidence)
    why = Item("answer", "No fact says so.", answer="Ines Hald")
    memory.add(
        await chat.complete(await memory.next_prompt(asked)), (Message("user", why.text),), [why]
    )
    await memory.next_prompt(asked)
    assert chat.rendered[-1] == why.text  # behind the answer itself
    for some in (DULL[:60], DULL[30:90]):
        said = await chat.complete(await memory.next_prompt(asked))
        tell(memory, said, note(evidence, "Long", some))
        await memory.next_prompt(asked)
        assert chat.rendered[-1].count("Answer so far: “Ines Hald”. No fact says so.") == 1
    assert memory.folds == 2


async def test_until_a_turn_is_added_the_prompt_stays() -> None:
    chat, evidence = FakeChat([Says("I look on.")]), Evidence()
    memory = memory_over(chat, evidence)
    first = await memory.next_prompt(asked)
    assert await memory.next_prompt(asked) is first
    tell(memory, await chat.complete(first), note(evidence, "Pier", [CARRIER]))
    second = await memory.next_prompt(asked)
    assert await memory.next_prompt(asked) is second


async def test_what_was_found_before_the_first_prompt_is_in_it() -> None:
    chat, evidence = FakeChat([Says("I look on.")]), Evidence()
    memory = memory_over(chat, evidence)
    nothing = Completion("", "", (), Done("stop", Usage()))
    tell(memory, nothing, note(evidence, "Pier", [CARRIER, *DULL[:30]]))
    prompt = await memory.next_prompt(asked)
    assert CARRIER in chat.rendered[-1]
    assert len(prompt.ids) < 110  # and no more than the notes may hold
    assert 1 in facts_in(memory)
    assert memory.folds == 0


async def test_a_task_that_does_not_fit_is_refused() -> None:
    memory = memory_over(FakeChat([Says("")], n_ctx=12), Evidence())
    with pytest.raises(ContextOverflow):
        await memory.next_prompt(asked)


async def test_notes_that_do_not_fit_after_all_are_left_out() -> None:
    chat, evidence = FakeChat([Says("I look on.")], n_ctx=60), Evidence()
    memory = memory_over(chat, evidence)
    note(evidence, "Pier", [CARRIER])

    def crowded(notes: str) -> ChatRequest:
        return asked(f"{notes} {'and more ' * 30}" if notes else "")

    prompt = await memory.next_prompt(crowded)
    assert len(prompt.ids) < 60
    assert memory.missing == {1}


class Elsewhere(FakeChat):
    """A model on another server: prompts without ids, of which only an estimate is known."""

    def prepare(self, request):  # type: ignore[no-untyped-def]
        return self._without_ids(super().prepare(request))

    def extend(self, prompt, completion, messages, request):  # type: ignore[no-untyped-def]
        n = prompt.estimate + 4 + sum(self.count(m.content) for m in messages)
        if n >= self.n_ctx:
            raise ContextOverflow(n, self.n_ctx)
        return Prompt((), GenerateParams(), stop=prompt.stop, estimate=n)

    @staticmethod
    def _without_ids(prompt: Prompt) -> Prompt:
        return Prompt((), prompt.params, stop=prompt.stop, estimate=len(prompt.ids))

    def locate(self, prompt, texts, since=0):  # type: ignore[no-untyped-def]
        return (None,) * len(texts)


async def test_a_chat_without_ids_is_folded_by_beginning_again() -> None:
    chat, evidence = Elsewhere([Says("I look on.")], n_ctx=300), Evidence()
    memory = memory_over(chat, evidence)
    prompts = await explore(chat, memory, evidence, 20)
    assert memory.folds >= 2
    assert max(prompt.n_tokens for prompt in prompts) <= 300
    assert 1 not in memory.missing
    assert 2 in memory.missing
    assert chat.edits == []


@pytest.fixture
async def real(smollm2_path: Path) -> AsyncIterator[ChatModel]:
    engine = EngineClient(LoadSpec(str(smollm2_path), 2048, 256, 2, 1), notice=print)
    await engine.start()
    vocab = Vocab.load(smollm2_path)
    greedy = SamplingParams(temperature=0)
    yield ChatModel("smollm2", vocab, engine, ChatTemplate.of(vocab), 2048, greedy)
    await engine.close()


async def test_a_window_of_2k_folds_by_pruning_and_computes_new_tokens_only(
    real: ChatModel,
) -> None:
    evidence = Evidence()
    policy = Policy("prune", turn_tokens=12, recalls=True)
    memory = Memory(real, Ranker(None), TASK, evidence, policy)
    for turn in range(12):
        prompt = await memory.next_prompt(asked)
        said = await real.complete(prompt)
        usage = said.done.usage
        assert len(prompt.ids) + 12 <= 2048
        computed = usage.prompt_tokens - usage.cached_tokens
        assert turn == 0 or computed < 450  # a turn's facts and the notice of a fold
        tell(memory, said, note(evidence, f"Page {turn}", [CARRIER, *DULL[turn * 8 :][:8]]))
    assert memory.folds >= 1
    assert usage.prompt_tokens > 900
    assert memory.reprefilled_tokens == 0
