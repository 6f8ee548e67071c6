"""A conversation that begins with what an earlier attempt left."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.agent.explore.turn import Dialect, Turn
from edge_agent.chat.messages import ChatRequest, Completion, Message


class Prefaced:
    """Implements `Dialect` over another one: its opening notes begin with a text."""

    def __init__(self, dialect: Dialect, text: str) -> None:
        self._dialect = dialect
        self._text = text
        self.writes_prose = dialect.writes_prose

    def opening(self, task: str, notes: str) -> tuple[Message, ...]:
        """The first messages; the text stands before what is known."""
        return self._dialect.opening(task, f"{self._text}\n\n{notes}".strip())

    def request(self, messages: tuple[Message, ...], n_facts: int) -> ChatRequest:
        return self._dialect.request(messages, n_facts)

    def read(self, completion: Completion) -> Turn:
        return self._dialect.read(completion)

    def reply(self, completion: Completion, texts: Sequence[str]) -> tuple[Message, ...]:
        return self._dialect.reply(completion, texts)
