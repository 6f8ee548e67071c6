"""The loop of models that call tools, with a scripted one."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from edge_agent.agent.answer.answer import Answer
from edge_agent.agent.answer.answerer import Answerer
from edge_agent.agent.answer.verdict import Verdict
from edge_agent.agent.records import Limits
from edge_agent.agent.refine.evidence import Evidence
from edge_agent.agent.refine.ranker import Ranker
from edge_agent.tools.base import Tool

from ..fakes import HARBOUR, Says, World
from .kit import AGENTCPM, PLAIN, QUESTION, Kit, Watched, answers, reads, searches

FOUND = (searches("carried bell"), reads("http://h/bell"))


async def test_every_prompt_begins_with_the_one_before_and_what_was_generated() -> None:
    chat = Watched(*FOUND, searches("Thrift smack"), reads("2"), answers("Ane Pollock"))
    kit = Kit(chat)
    ending = await kit.explorer.explore()
    assert (ending.reason, ending.answer) == ("answered", "Ane Pollock")
    turns = [p for p in chat.asked if len(p.ids) > 60]
    for before, after in pairwise(turns[:5]):
        assert after.ids[: len(before.ids)] == before.ids
    assert kit.budget.usage().folds == 0


async def test_what_is_left_is_told_inside_the_last_tool_responses_only() -> None:
    script = [searches(f"smack number{i} word{i}") for i in range(5)]
    chat = Watched(*script)
    await Kit(chat, limits=Limits(steps=5)).explorer.explore()
    told = ["Left: " in text or "One turn is left" in text for text in chat.rendered[:5]]
    assert told == [False, False, False, True, True]


async def test_the_plain_profile_is_told_nothing_of_budgets() -> None:
    chat = Watched(
        Says('{"facts": [], "thought": "", "query": "bell fish"}'), answers=("not found",)
    )
    await Kit(chat, profile=PLAIN, limits=Limits(steps=3)).explorer.explore()
    assert not any("turn" in text and "left" in text for text in chat.rendered)


async def test_a_budget_of_one_turn_still_reads_what_it_found() -> None:
    kit = Kit(Watched(FOUND[0]), limits=Limits(steps=1))
    ending = await kit.explorer.explore()
    assert (ending.reason, ending.forced) == ("steps_limit", True)
    assert len(kit.explorer.evidence)
    answer = await kit.explorer.answer(ending)
    assert (answer.text, bool(answer.citations)) == ("the answer", True)


async def test_giving_up_is_answered_once_with_another_try() -> None:
    chat = Watched(FOUND[0], answers("not found"), reads("1"), answers("Ane Pollock"))
    kit = Kit(chat)
    ending = await kit.explorer.explore()
    assert ending.answer == "Ane Pollock"
    assert any("Do not give up yet" in text for text in chat.rendered)


async def test_a_model_that_finds_nothing_may_say_so_in_the_end() -> None:
    kit = Kit(Watched(FOUND[0], answers("not found")))
    ending = await kit.explorer.explore()
    assert (ending.reason, ending.answer) == ("answered", "not found")
    assert len(kit.steps) == 4


class Strict(Answerer):
    """Accepts one answer only."""

    async def support(
        self, question: str, answer: str, evidence: Evidence, known: object = ()
    ) -> Answer:
        found = await super().support(question, answer, evidence)
        right = answer == "Ane Pollock"
        verdict = Verdict() if right else Verdict("unstated", "No fact says so: look again.")
        return replace(found, verdict=verdict)


async def test_an_answer_that_fails_its_check_goes_back_to_the_model() -> None:
    chat = Watched(*FOUND, answers("Bo"), answers("Ane Pollock"))
    kit = Kit(chat, answerer=Strict(chat, Ranker(None), 400))
    ending = await kit.explorer.explore()
    assert ending.answer == "Ane Pollock"
    assert ending.drawn is not None and ending.drawn.verdict == Verdict()
    assert any("No fact says so: look again." in text for text in chat.rendered)


async def test_an_answer_is_sent_back_no_more_than_twice() -> None:
    chat = Watched(*FOUND, answers("Bo"))
    kit = Kit(chat, answerer=Strict(chat, Ranker(None), 400))
    ending = await kit.explorer.explore()
    assert (ending.answer, len(kit.steps)) == ("Bo", 5)


async def test_a_page_at_a_guessed_address_is_marked_and_never_cited() -> None:
    chat = Watched(reads("http://h/thrift"), answers("Ane Pollock"))
    kit = Kit(chat)
    ending = await kit.explorer.explore()
    assert "a guessed address" in kit.steps[0].actions[0].result
    assert "no tool named it" in chat.rendered[1]
    assert len(kit.explorer.evidence)
    assert (await kit.explorer.answer(ending)).citations == ()


@pytest.mark.parametrize(
    "kit",
    [
        Kit(
            Watched(reads("http://h/thrift"), answers("Ane")),
            task="Who is named on http://h/thrift?",
        ),
        Kit(Watched(searches("Thrift smack"), reads("http://h/thrift"), answers("Ane"))),
        Kit(
            Watched(
                searches("harbour list"), reads("1"), reads("https://h/thrift"), answers("Ane")
            ),
            world=World({"http://h/list": "A harbour list: http://h/thrift", **HARBOUR}),
        ),
    ],
    ids=["given", "found", "linked"],
)
async def test_what_the_user_a_search_or_a_page_named_may_be_cited(kit: Kit) -> None:
    """What only a page named is marked all the same."""
    linked = "http://h/list" in kit.world.pages
    if linked:  # the fake web answers to one spelling only
        kit.world.pages = {**kit.world.pages, "https://h/thrift": HARBOUR["http://h/thrift"]}
    answer = await kit.explorer.answer(await kit.explorer.explore())
    assert answer.citations
    assert any("guessed" in a.result for step in kit.steps for a in step.actions) is linked


async def test_a_second_visit_with_a_new_purpose_is_no_repetition() -> None:
    script = [FOUND[0], reads("1", purpose="who carried it"), reads("1", purpose="its weight")]
    kit = Kit(Watched(*script, answers("210")))
    await kit.explorer.explore()
    assert [a.repeated for step in kit.steps for a in step.actions] == [False] * 3
    assert "Read again" in kit.steps[2].actions[0].result
    assert kit.steps[2].notes


async def test_a_second_visit_for_the_same_purpose_reads_the_next_result() -> None:
    script = [FOUND[0], reads("1", purpose="who carried it")]
    kit = Kit(Watched(*script, reads("http://h/bell/", purpose="carried it, who?"), answers("x")))
    await kit.explorer.explore()
    assert kit.steps[2].actions[0].repeated
    assert kit.world.read == ["http://h/bell", "http://h/market"]


async def test_another_tool_is_called_and_what_it_returns_is_read() -> None:
    async def interpreter(code: str) -> str:
        """Runs code."""
        return f"ran {code}"

    tool = Tool.of(interpreter, "PythonInterpreter")
    call = Says(calls=(("PythonInterpreter", {"code": "print(7)"}),))
    chat = Watched(call, answers("7"))
    kit = Kit(chat, more_tools={tool.name: tool})
    await kit.explorer.explore()
    assert "PythonInterpreter" in [spec.name for spec in chat.requests[0].tools]
    assert "ran print(7)" in chat.rendered[1]
    assert kit.steps[0].actions[0].result == "ran print(7)"


async def test_what_was_tried_is_told_in_words() -> None:
    kit = Kit(Watched(*FOUND, answers("not found")))
    await kit.explorer.explore()
    assert kit.explorer.tried == ("searched “carried bell”", "read “Bell”")


async def test_a_thought_is_given_less_than_the_turn_and_the_turn_less_than_the_run() -> None:
    chat = Watched(FOUND[0])
    await Kit(chat, limits=Limits(tokens=400)).explorer.step()
    assert chat.requests[0].max_tokens == 400
    assert chat.requests[0].thinking_budget == 300
    assert AGENTCPM.thought_tokens is not None


async def test_an_answer_whose_check_ran_out_of_time_is_kept() -> None:
    class Slow(Answerer):
        async def support(
            self, question: str, answer: str, evidence: Evidence, known: object = ()
        ) -> Answer:
            chat.script = [Says(wait_s=60)]
            await chat.complete(chat.prepare(chat.requests[0]))
            raise AssertionError("it is cut off before")

    chat = Watched(*FOUND, answers("Ane Pollock"))
    kit = Kit(chat, answerer=Slow(chat, Ranker(None), 400), limits=Limits(seconds=3.0))
    ending = await kit.explorer.explore()
    assert (ending.reason, ending.answer) == ("answered", "Ane Pollock")


async def test_a_folded_run_counts_its_fold_and_goes_on() -> None:
    pages = {f"http://h/{i}": f"Smack {i} carried a bell. " + "word " * 60 for i in range(60)}
    script = [searches(f"smack carried{i} word{i}") for i in range(20)]
    kit = Kit(Watched(*script, n_ctx=2500), World(pages), task=QUESTION)
    ending = await kit.explorer.explore()
    assert ending.reason == "steps_limit"
    assert kit.budget.usage().folds > 0
    assert kit.budget.usage().reprefilled_tokens > 0
