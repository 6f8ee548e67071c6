"""What keeps a run's conversation within the model's window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from edge_agent.agent.memory.items import Item
from edge_agent.agent.memory.transcript import Transcript
from edge_agent.chat.messages import Chat, ChatRequest, Completion, Message, Prompt
from edge_agent.errors import ContextOverflow

# the request of the next turn, told what is known: notes or ""
Request: TypeAlias = Callable[[str], ChatRequest]


class Window(Protocol):
    """Makes each prompt out of what was said so far.

    folds: how often something was left out to make room. reprefilled_tokens: prompt tokens
    computed that an earlier turn had computed already.
    """

    folds: int

    @property
    def reprefilled_tokens(self) -> int: ...

    def add(
        self, completion: Completion, replies: tuple[Message, ...], items: Sequence[Item] = ()
    ) -> None:
        """Note what the model wrote and what is answered to it, which is made of these items."""
        ...

    async def next_prompt(self, request: Request) -> Prompt:
        """The prompt of the next turn. Raises ContextOverflow when not even the task fits."""
        ...


class Restarting:
    """Starts over with the closest facts when the window is crowded.

    known: those facts as text. turn_tokens: most that a turn may write.
    """

    def __init__(self, chat: Chat, turn_tokens: int, known: Callable[[], str]) -> None:
        self._transcript = Transcript(chat)
        self._turn_tokens = turn_tokens
        self._known = known
        self._begun = False
        self.folds = 0

    @property
    def reprefilled_tokens(self) -> int:
        """See `Window`."""
        return self._transcript.reprefilled_tokens

    def add(
        self, completion: Completion, replies: tuple[Message, ...], items: Sequence[Item] = ()
    ) -> None:
        """See `Window.add`."""
        self._transcript.add(completion, replies, items)

    async def next_prompt(self, request: Request) -> Prompt:
        """See `Window.next_prompt`."""
        if self._begun and not self._transcript.is_crowded(self._turn_tokens):
            try:
                return self._transcript.go_on(request(""))
            except ContextOverflow:
                pass  # one observation was larger than the room left
        self.folds += self._begun
        self._begun = True
        try:
            return self._transcript.start(request(self._known()))
        except ContextOverflow:  # a small window: the facts stay in the evidence
            return self._transcript.start(request(""))
