from __future__ import annotations

from dataclasses import replace

import pytest

from edge_agent.agent.explore.thinker import LEAST_THOUGHT, again
from edge_agent.agent.records import Limits, Retried, StepStarted, TextDelta
from edge_agent.chat.messages import ChatRequest, Message, Prompt
from edge_agent.engine.params import GenerateParams, SamplingParams, ThoughtLimit

from ..fakes import Says, search
from .kit import PLAIN, Kit, Watched, answers, reads, searches

LOOP = "Wait, let me think about the bell again. " * 60
GOOD = searches("carried bell")


@pytest.mark.parametrize(
    "bad",
    [
        Says(""),
        Says("I will search now."),
        Says(thought="So much to think of", length=True),
        Says("<tool_call>{bad", malformed="The tool call is not valid JSON."),
        Says(LOOP),
        Says(thought=LOOP),
    ],
    ids=["empty", "no call", "unclosed thought", "unparsable", "loop", "loop in thought"],
)
async def test_a_bad_generation_is_thrown_away_and_asked_for_again(bad: Says) -> None:
    kit = Kit(Watched(bad, GOOD))
    await kit.explorer.step()
    (step,) = kit.steps
    assert (step.number, step.retries, step.error) == (1, 1, None)
    assert step.actions[0].tool == "search"
    assert len(kit.told(Retried)) == 1
    assert len(kit.told(StepStarted)) == 1


async def test_what_was_thrown_away_never_reaches_the_transcript() -> None:
    chat = Watched(Says("prose of no use"), GOOD, reads("http://h/bell"))
    kit = Kit(chat)
    await kit.explorer.step()
    await kit.explorer.step()
    first, retried, second = chat.asked
    assert retried.ids == first.ids
    wasted = tuple(hash(word) & 0xFFFF for word in ["prose", "of", "no", "use"])
    assert first.ids + wasted != second.ids[: len(first.ids) + len(wasted)]
    assert second.ids[: len(first.ids)] == first.ids


async def test_no_more_than_two_retries_a_turn() -> None:
    kit = Kit(Watched(Says("I will search now.")))
    await kit.explorer.step()
    (step,) = kit.steps
    assert step.retries == 2
    assert step.error is not None


async def test_thrown_away_tokens_are_spent_all_the_same() -> None:
    kit = Kit(Watched(Says("one two three"), GOOD))
    await kit.explorer.step()
    assert kit.budget.usage().completion_tokens > kit.steps[0].completion_tokens


async def test_nothing_is_asked_again_when_no_tokens_are_left() -> None:
    kit = Kit(Watched(Says("one two three four")), limits=Limits(tokens=3))
    await kit.explorer.step()
    assert kit.steps[0].retries == 0


async def test_a_loop_is_stopped_while_it_is_written() -> None:
    chat = Watched(Says(LOOP), GOOD)
    kit = Kit(chat)
    await kit.explorer.step()
    assert chat.closed == 2  # both streams, the first before its end
    spent = kit.budget.usage().completion_tokens
    assert spent >= len(LOOP.split())


async def test_a_turn_of_nothing_but_loops_goes_on_with_a_nudge() -> None:
    chat = Watched(*[Says(LOOP)] * 3, GOOD)
    kit = Kit(chat)
    await kit.explorer.step()
    await kit.explorer.step()
    assert "repeated itself" in str(kit.steps[0].error)
    assert "repeated itself" in chat.rendered[1]
    assert chat.asked[3].ids[: len(chat.asked[0].ids)] == chat.asked[0].ids
    assert kit.steps[1].actions


async def test_a_call_made_before_to_the_letter_is_asked_for_again() -> None:
    kit = Kit(Watched(GOOD, GOOD, searches("Thrift built")))
    await kit.explorer.step()
    await kit.explorer.step()
    assert [step.retries for step in kit.steps] == [0, 1]
    assert kit.world.searched == ["carried bell", "Thrift built"]


async def test_a_model_that_insists_gets_the_next_unread_result() -> None:
    kit = Kit(Watched(GOOD))
    await kit.explorer.step()
    await kit.explorer.step()
    assert kit.steps[1].retries == 2
    assert kit.steps[1].actions[0].repeated
    assert kit.world.read == ["http://h/bell"]


async def test_the_plain_profile_reads_on_at_once_when_it_repeats_a_query() -> None:
    kit = Kit(Watched(search("market fish"), answers=("not found",)), profile=PLAIN)
    for _ in range(3):
        await kit.explorer.step()
    assert [step.retries for step in kit.steps] == [0, 0, 0]
    assert kit.steps[2].actions[0].repeated


async def test_a_greedy_turn_that_was_cut_off_is_asked_for_with_some_warmth() -> None:
    cut = Says('{"facts": [1], "thought": "on', length=True)
    chat = Watched(cut, search("Thrift built"), answers=("not found",))
    kit = Kit(chat, profile=PLAIN)
    await kit.explorer.step()
    await kit.explorer.step()
    assert kit.steps[1].retries == 1


async def test_the_text_of_json_turns_is_not_for_readers() -> None:
    kit = Kit(Watched(search("Thrift built")), profile=PLAIN)
    await kit.explorer.step()
    await kit.explorer.step()
    assert kit.told(TextDelta) == []


PARAMS = GenerateParams(
    SamplingParams(temperature=1.0, seed=7), 500, thought=ThoughtLimit(400, (1,), (2,), (2,))
)


def test_a_retry_has_another_seed_and_then_more_warmth() -> None:
    prompt = Prompt((1, 2), PARAMS)
    first, second = again(prompt, 1, 300, False), again(prompt, 2, 300, False)
    assert (first.params.sampling.seed, first.params.sampling.temperature) == (8, 1.0)
    assert (second.params.sampling.seed, second.params.sampling.temperature) == (9, 1.1)
    assert first.params.max_tokens == 300
    assert first.ids == prompt.ids


def test_a_greedy_retry_is_warmed_at_once_and_the_same_every_time() -> None:
    prompt = Prompt((1,), GenerateParams(SamplingParams(temperature=0)))
    sampling = again(prompt, 1, 300, False).params.sampling
    assert sampling.temperature > 0
    assert sampling == again(prompt, 1, 300, False).params.sampling


def test_a_thought_that_did_not_end_is_given_less_room() -> None:
    prompt = Prompt((1,), replace(PARAMS, max_tokens=4000))
    thought = again(prompt, 1, 4000, True).params.thought
    assert thought is not None
    assert thought.budget == LEAST_THOUGHT
    assert again(prompt, 1, 4000, False).params.thought == PARAMS.thought


def test_a_retry_on_another_server_is_changed_alike() -> None:
    request = ChatRequest((Message("user", "?"),), sampling=PARAMS.sampling, thinking_budget=2000)
    prompt = Prompt((), GenerateParams(max_tokens=100), request=request, estimate=5)
    changed = again(prompt, 2, 50, True).request
    assert changed is not None and changed.sampling is not None
    assert (changed.sampling.seed, changed.sampling.temperature) == (9, 1.1)
    assert changed.thinking_budget == 500
    assert again(replace(prompt, request=replace(request, sampling=None)), 1, 50, False).request


async def test_an_answer_that_was_streamed_into_a_loop_is_not_taken() -> None:
    kit = Kit(Watched(GOOD, Says("<answer>the bell " + LOOP), answers("Ane Pollock")))
    await kit.explorer.step()
    await kit.explorer.step()
    assert kit.steps[1].retries == 1
    assert "Ane Pollock" in kit.steps[1].text
