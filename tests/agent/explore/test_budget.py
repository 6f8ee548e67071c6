from __future__ import annotations

from edge_agent.agent.explore.budget import Budget
from edge_agent.agent.records import Limits, RunUsage
from edge_agent.engine.params import Usage


def test_the_model_is_told_only_when_it_matters() -> None:
    budget = Budget(Limits(steps=5))
    told = []
    for _ in range(5):
        budget.next_step()
        told.append(budget.told())
    assert told[:2] == ["", ""]
    assert "2 turns" in told[2]
    assert "One turn is left" in told[3]
    assert told[4] == ""


def test_the_model_is_told_when_tokens_run_low() -> None:
    budget = Budget(Limits(tokens=1000))
    budget.add(Usage(completion_tokens=700))
    assert budget.told() == ""
    budget.add(Usage(completion_tokens=60))
    assert "240 tokens" in budget.told()


def test_the_model_is_told_when_seconds_run_low() -> None:
    budget = Budget(Limits(seconds=100))
    budget.restore(RunUsage(seconds=50), 1)
    assert budget.told() == ""
    budget.restore(RunUsage(seconds=70), 1)
    assert "10 seconds" in budget.told()


def test_a_thought_leaves_room_for_the_call_behind_it() -> None:
    budget = Budget(Limits(tokens=1000))
    assert budget.thought_tokens(8192, budget.turn_tokens(16_384)) == 750
    assert budget.thought_tokens(100, 1000) == 100
    assert budget.thought_tokens(None, 1000) is None


def test_a_limit_on_thoughts_holds_for_every_profile() -> None:
    budget = Budget(Limits(thought_tokens=64))
    assert budget.thought_tokens(8192, 4096) == 64
    assert budget.thought_tokens(None, 4096) == 64


def test_what_was_spent_before_a_crash_stays_spent() -> None:
    budget = Budget(Limits(steps=5, tokens=100, seconds=1000))
    before = RunUsage(500, 400, 60, 7, 300.0, 11, 2)
    budget.restore(before, 3)
    assert (budget.steps_left, budget.tokens_left) == (2, 40)
    assert 690 < budget.answer_s <= 700
    budget.add(Usage(10, 5, 20), tool_calls=1)
    budget.note_prefills(4, 1)
    usage = budget.usage()
    assert (usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens) == (510, 405, 80)
    assert (usage.tool_calls, usage.reprefilled_tokens, usage.folds) == (8, 15, 3)
