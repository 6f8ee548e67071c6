"""What keeps a run's conversation within the model's window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from edge_agent.agent.memory.items import Item
from edge_agent.chat.messages import ChatRequest, Completion, Message, Prompt

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
