"""The order of tries, what ends one, and what ends all."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.chat.seeded import SeededChat
from edge_agent.engine.params import SamplingParams
from edge_agent.errors import (
    ContextOverflow,
    EdgeAgentError,
    EngineCrashed,
    NotFound,
    SearchError,
    StoreError,
)
from edge_agent.eval.ledger import Ledger
from edge_agent.eval.question import Question
from edge_agent.eval.runner import Runner
from tests.agent.fakes import FakeChat, Says

from .fakes import FakeArm

QUESTIONS = [Question("a", "A?", "yes"), Question("b", "B?", "no"), Question("c", "C?", "17")]
RIGHT = {"A?": "Yes", "B?": "No.", "C?": "17"}


def runner(folder: Path, arm: FakeArm, alive: bool = True, seed: int | None = None) -> Runner:
    chat = SeededChat(FakeChat([Says("x")]), SamplingParams())
    return Runner(arm, chat, Ledger(folder, {}), seed, lambda told: None, lambda: alive)


async def test_every_question_is_asked_k_times_and_scored(tmp_path: Path) -> None:
    arm = FakeArm(RIGHT)
    await runner(tmp_path, arm).run(QUESTIONS, 2)
    assert arm.asked == ["a", "a", "b", "b", "c", "c"]
    lines = Ledger(tmp_path, {}).lines
    assert [line.em for line in lines] == [1] * 6
    assert [line.attempt for line in lines] == [0, 1] * 3


async def test_a_second_call_asks_only_what_is_missing(tmp_path: Path) -> None:
    await runner(tmp_path, FakeArm(RIGHT)).run(QUESTIONS[:2], 1)
    arm = FakeArm(RIGHT)
    await runner(tmp_path, arm).run(QUESTIONS, 1)
    assert arm.asked == ["c"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SearchError("No search engine answered."), "tool_failed"),
        (EngineCrashed("The engine died."), "env_error"),
        (StoreError("The disk is full."), "env_error"),
        (ContextOverflow(9000, 4096), "token_limit"),
    ],
)
async def test_an_error_ends_one_try_and_the_rest_goes_on(
    tmp_path: Path, error: EdgeAgentError, reason: str
) -> None:
    await runner(tmp_path, FakeArm({**RIGHT, "B?": error})).run(QUESTIONS, 1)
    lines = Ledger(tmp_path, {}).lines
    assert [line.em for line in lines] == [1, 0, 1]
    assert (lines[1].status, lines[1].reason) == ("failed", reason)
    assert lines[1].answer == f"No answer: {error}"


async def test_a_model_that_is_gone_for_good_ends_all_and_its_try_is_not_kept(
    tmp_path: Path,
) -> None:
    arm = FakeArm({**RIGHT, "B?": EngineCrashed("gone")})
    with pytest.raises(EngineCrashed, match="the same command goes on"):
        await runner(tmp_path, arm, alive=False).run(QUESTIONS, 1)
    assert Ledger(tmp_path, {}).done == {("a", 0)}


async def test_an_error_that_no_try_can_mend_ends_all(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await runner(tmp_path, FakeArm({**RIGHT, "A?": NotFound("no such library")})).run(
            QUESTIONS, 1
        )
    assert Ledger(tmp_path, {}).done == frozenset()
