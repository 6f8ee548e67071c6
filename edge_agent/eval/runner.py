"""Asks every question k times, and keeps each try as it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from edge_agent.agent.records import Reason
from edge_agent.chat.messages import Chat
from edge_agent.chat.seeded import SeededChat
from edge_agent.errors import (
    ContextOverflow,
    EdgeAgentError,
    EngineCrashed,
    EngineError,
    StoreError,
    ToolError,
)
from edge_agent.eval.ledger import Ledger
from edge_agent.eval.question import Question
from edge_agent.eval.talk import Talk
from edge_agent.eval.trial import Arm, Scored, Trial, scored

# errors that end one try and not the evaluation, with the reason that is told of it
ENDINGS: tuple[tuple[type[EdgeAgentError], Reason], ...] = (
    (ContextOverflow, "token_limit"),
    (ToolError, "tool_failed"),
    (EngineError, "env_error"),
    (StoreError, "env_error"),
)
SEEDS_A_TRY = 1000  # between tries, since one try may draw with several seeds in a row


class Runner:
    """One evaluation. `tell` hears a line per try; `is_alive` says whether the model still is."""

    def __init__(
        self,
        arm: Arm,
        chat: SeededChat,
        ledger: Ledger,
        seed: int | None,
        tell: Callable[[str], None],
        is_alive: Callable[[], bool],
    ) -> None:
        self._arm = arm
        self._chat = chat
        self._ledger = ledger
        self._seed = seed
        self._tell = tell
        self._is_alive = is_alive

    async def run(self, questions: Sequence[Question], k: int) -> None:
        """Every try that the ledger lacks. Raises EngineCrashed when the model is gone for good."""
        missing = list(self._missing(questions, k))
        for number, (question, attempt) in enumerate(
            missing, len(questions) * k - len(missing) + 1
        ):
            self._chat.seed = self._seed_of(attempt)
            line = await self._tried(question, attempt)
            if line.reason == "env_error" and not self._is_alive():
                raise EngineCrashed("The model has failed for good; the same command goes on here.")
            self._ledger.append(line)
            self._tell(_told(line, number, len(questions) * k))

    def _seed_of(self, attempt: int) -> int | None:
        return None if self._seed is None else self._seed + SEEDS_A_TRY * attempt

    def _missing(self, questions: Sequence[Question], k: int) -> Iterator[tuple[Question, int]]:
        done = self._ledger.done
        for question in questions:
            for attempt in range(k):
                if (question.id, attempt) not in done:
                    yield question, attempt

    async def _tried(self, question: Question, attempt: int) -> Scored:
        began = time.monotonic()
        try:
            trial = await self._arm.answer(question)
        except tuple(kind for kind, _ in ENDINGS) as error:
            trial = _failed(self._chat, question, error)
        return scored(question, attempt, trial, time.monotonic() - began)


def _failed(chat: Chat, question: Question, error: EdgeAgentError) -> Trial:
    reason = next(reason for kind, reason in ENDINGS if isinstance(error, kind))
    return Trial(Talk(chat, question.question).run(f"No answer: {error}", reason, "failed"))


def _told(line: Scored, number: int, of: int) -> str:
    answer = " ".join(line.answer.split())
    return (
        f"[{number}/{of}] {line.id}: em {line.em:.0f} f1 {line.f1:.2f} {line.reason} "
        f"{line.seconds:.1f} s: {answer[:80]!r}, expected {line.expected[:80]!r}"
    )
