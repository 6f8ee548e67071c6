"""What came of a step, for the record and for the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge_agent.agent.answer.objection import Objection
from edge_agent.agent.explore.outcome import Outcome
from edge_agent.agent.explore.thinker import Thinking
from edge_agent.agent.explore.turn import RECALL
from edge_agent.agent.memory.items import Item, nothing_on, observed, of_facts
from edge_agent.agent.records import Note, Step


@dataclass(frozen=True, slots=True)
class Upshot:
    """A turn of the model and everything that followed from it.

    notes: of all pages that its outcomes have. objection: to the answer it gave, if any.
    """

    number: int
    thinking: Thinking
    outcomes: tuple[Outcome, ...]
    notes: tuple[Note, ...]
    objection: Objection | None = None

    def step(self, seconds: float) -> Step:
        """The record."""
        turn, usage = self.thinking.turn, self.thinking.completion.done.usage
        return Step(
            number=self.number,
            thought=turn.thought,
            text=turn.text,
            actions=tuple(outcome.action for outcome in self.outcomes),
            notes=self.notes,
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            completion_tokens=usage.completion_tokens,
            seconds=round(seconds, 3),
            error=turn.error,
            retries=self.thinking.retries,
        )

    def told(self, left: str) -> tuple[list[str], list[Item]]:
        """What the model reads, a text for each call or one in place of them, and the items that
        these are made of. left: what it is told of its budgets, or ""."""
        texts, items = self._of_calls() if self.outcomes else self._of_none()
        if not left:
            return texts, items
        return [*texts[:-1], f"{texts[-1]}\n\n{left}".strip()], [*items, Item("nudge", left)]

    def _of_calls(self) -> tuple[list[str], list[Item]]:
        texts = [_observation(outcome, self.notes) for outcome in self.outcomes]
        items = [item for outcome in self.outcomes for item in _items(outcome, self.notes)]
        return texts, items

    def _of_none(self) -> tuple[list[str], list[Item]]:
        """An answer that is sent back, or a turn of which nothing can be made."""
        if self.objection is not None:
            answer, why = self.objection.answer, self.objection.why
            return [why], [Item("answer" if answer else "nudge", why, answer=answer)]
        error = self.thinking.turn.error or ""
        return [error], [Item("nudge", error)] if error else []


def _observation(outcome: Outcome, notes: Sequence[Note]) -> str:
    """What the model reads of a call: its text, and the notes of its pages."""
    noted = (note.text or nothing_on(note.title) for note in _own(outcome, notes))
    return "\n".join(part for part in (outcome.text, *noted) if part)


def _items(outcome: Outcome, notes: Sequence[Note]) -> tuple[Item, ...]:
    """The same as the memory knows it."""
    if outcome.action.tool == RECALL:
        return tuple(of_facts(outcome.text))
    return observed(outcome.text, _own(outcome, notes), outcome.repeated, outcome.failed)


def _own(outcome: Outcome, notes: Sequence[Note]) -> list[Note]:
    urls = {page.url for page in outcome.pages}
    return [note for note in notes if note.url in urls]
