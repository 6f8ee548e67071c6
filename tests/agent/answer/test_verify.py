from __future__ import annotations

from typing import Any

import pytest

from edge_agent.agent.answer.answerer import Answerer
from edge_agent.agent.answer.checked import CheckedAnswerer
from edge_agent.agent.answer.verdict import DOUBTED, FAULTY, NOTHING, PLAUSIBLE, SUPPORTED, Verdict
from edge_agent.agent.answer.verify import JUDGE_TOKENS, Verifier
from edge_agent.agent.refine.evidence import Evidence
from edge_agent.agent.refine.ranker import Ranker

from .fakes import Script, answer, evidence, fact
from .test_sources import NEW, OLD, length, world

QUESTION = "Who built the Thrift?"
GOOD = {"facts": [2], "thought": "So it says.", "answer": "Ane Pollock"}
WRONG = {"facts": [2], "thought": "So it says.", "answer": "1871"}
HOW_LONG = "How long is the harbour bridge of Mossby?"


def judging(verdict: str, *numbers: int) -> dict[str, object]:
    return {"facts": list(numbers), "verdict": verdict}


async def verified(
    chat: Script, text: str, numbers: tuple[int, ...], found: Evidence, question: str = QUESTION
) -> Verdict:
    given = answer(text, found, numbers)
    return await Verifier(chat, asks=True).verify(question, given, found, list(found))


@pytest.mark.parametrize(
    ("wrote", "fault", "weight"),
    [
        (judging("supported", 2), None, SUPPORTED),
        (judging("contradicted", 2), "contradicted", DOUBTED),
        (judging("not stated"), "not_stated", DOUBTED),
        ('{"facts": [2], "verd', None, PLAUSIBLE),
        ("[1, 2]", None, PLAUSIBLE),
    ],
)
async def test_the_models_judgement_decides_what_the_checks_let_pass(
    wrote: Any, fault: str | None, weight: int
) -> None:
    verdict = await verified(Script(wrote), "Ane Pollock", (2,), evidence())
    assert (verdict.fault, verdict.weight) == (fault, weight)
    assert bool(verdict.feedback) is (fault is not None)


async def test_the_judgement_is_constrained_greedy_bounded_and_without_thoughts() -> None:
    chat = Script(judging("supported", 2))
    await verified(chat, "Ane Pollock", (2,), evidence())
    (request,) = chat.requests
    schema: Any = request.response_schema
    assert schema["properties"]["verdict"]["enum"] == ["supported", "contradicted", "not stated"]
    assert schema["properties"]["facts"]["items"]["enum"] == [1, 2, 3, 4, 5]
    assert request.sampling is not None
    assert (request.sampling.temperature, request.thinking) == (0, False)
    assert request.max_tokens == JUDGE_TOKENS


async def test_the_model_is_not_asked_about_what_fails_a_check() -> None:
    chat = Script(judging("supported", 2))
    verdict = await verified(chat, "Gerrith Olm", (2,), evidence())
    assert (verdict.fault, verdict.weight, chat.requests) == ("unstated", FAULTY, [])


async def test_without_asking_the_checks_alone_decide() -> None:
    chat, found = Script(judging("contradicted", 2)), evidence()
    given = answer("Ane Pollock", found, [2])
    verdict = await Verifier(chat).verify(QUESTION, given, found, list(found))
    assert (verdict.weight, chat.requests) == (PLAUSIBLE, [])
    assert Verifier(chat).check(QUESTION, answer("not found", found), found).weight == NOTHING


async def test_of_two_sources_the_newer_is_preferred_and_the_run_says_so() -> None:
    found = world(OLD, NEW)
    old, new = length(found, "120"), length(found, "135")
    chat = Script(judging("supported", new))
    verdict = await verified(chat, "120 metres", (old,), found, HOW_LONG)
    assert (verdict.fault, chat.requests) == ("outdated", [])
    assert f"[{new}]" in verdict.feedback
    verdict = await verified(chat, "135 metres", (new,), found, HOW_LONG)
    assert verdict.accepted
    assert fact(found, old).passage.text in verdict.remark


@pytest.mark.parametrize(("ours", "fault"), [(0, "outdated"), (1, None)])
async def test_a_contradiction_that_the_model_sees_goes_by_the_dates_too(
    ours: int, fault: str | None
) -> None:
    old = "Updated 2011.\n\nThe Thrift was built by Ane Pollock."
    new = "Updated 2021.\n\nGerrith Olm made this smack, called Thrift."
    found = world(old, new)
    numbers = [length(found, "Ane"), length(found, "Olm")]
    text = ["Ane Pollock", "Gerrith Olm"][ours]
    chat = Script(judging("contradicted", numbers[1 - ours]))
    verdict = await verified(chat, text, (numbers[ours],), found)
    assert verdict.fault == fault
    assert bool(verdict.remark) is (fault is None)


def checked(chat: Script, asks: bool = False, retries: int = 1) -> CheckedAnswerer:
    answerer = Answerer(chat, Ranker(None), 500)
    return CheckedAnswerer(answerer, Verifier(chat, asks), retries)


async def test_a_fault_is_told_and_the_next_try_is_taken() -> None:
    chat = Script(WRONG, GOOD)
    drawn = await checked(chat).extract(QUESTION, evidence())
    assert (drawn.text, drawn.holds(QUESTION)) == ("Ane Pollock", True)
    assert chat.rendered[1].startswith(chat.rendered[0])  # so its cells are used again
    assert "asks for a person" in chat.rendered[1]
    assert drawn.completion.done.usage.completion_tokens >= 2


async def test_tries_are_bounded_and_the_best_of_them_is_given() -> None:
    doubted = judging("not stated")
    chat = Script(GOOD, doubted, WRONG, WRONG, WRONG)
    drawn = await checked(chat, asks=True, retries=2).extract(QUESTION, evidence())
    assert len(chat.requests) == 4
    assert drawn.text == "Ane Pollock"
    assert drawn.verdict is not None
    assert (drawn.verdict.fault, drawn.holds(QUESTION)) == ("not_stated", False)


async def test_a_good_answer_and_a_missing_one_are_drawn_once() -> None:
    for wrote in (GOOD, {**GOOD, "answer": "not found"}):
        chat = Script(wrote)
        drawn = await checked(chat, retries=3).extract(QUESTION, evidence())
        assert len(chat.requests) == 1
        assert drawn.holds(QUESTION) is (drawn.text != "not found")


async def test_an_answer_of_the_models_own_is_judged_and_left_to_it() -> None:
    chat = Script({"facts": [2]}, judging("supported", 2))
    own = await checked(chat, asks=True).support(QUESTION, "It was Ane Pollock.", evidence())
    assert own.text == "It was Ane Pollock."
    assert own.verdict is not None
    assert own.verdict.supported
    bad = await checked(Script({"facts": [2]})).support(QUESTION, "Gerrith Olm", evidence())
    assert bad.verdict is not None
    assert bad.verdict.fault == "unstated"
