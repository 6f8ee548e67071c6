"""What a model decided in one turn, and the seam behind which it is asked for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edge_agent.chat.messages import ChatRequest, Completion, Message

SEARCH, FETCH = "search", "fetch_url"  # the tools of every run, whatever a model calls them
PYTHON = "PythonInterpreter"
RECALL = "recall"  # shows folded facts again
BACKGROUND = 1  # the priority of a run's turns: people who chat go first


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call of a turn, with its arguments as the tool takes them."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """What the model decided. error: a sentence for the model when nothing can be made of it.

    facts: numbers it pointed at. answer: its own words for it, when it has written them.
    """

    thought: str = ""
    text: str = ""
    calls: tuple[Call, ...] = ()
    facts: tuple[int, ...] = ()
    answer: str = ""
    error: str | None = None


class Dialect(Protocol):
    """One way to hold the conversation of a run.

    writes_prose: what the model writes is for a reader; else it is JSON, and only its thought is.
    """

    writes_prose: bool

    def opening(self, task: str, notes: str) -> tuple[Message, ...]:
        """The first messages; `notes` is what is known already, or ""."""
        ...

    def request(self, messages: tuple[Message, ...], n_facts: int) -> ChatRequest:
        """The request for the next turn, when the run has `n_facts` facts."""
        ...

    def read(self, completion: Completion) -> Turn: ...

    def reply(self, completion: Completion, texts: Sequence[str]) -> tuple[Message, ...]:
        """The messages that carry what came of a turn's calls, one text a call."""
        ...
