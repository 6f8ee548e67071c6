"""A chat whose requests are changed before another chat answers them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from edge_agent.chat.messages import (
    Chat,
    ChatRequest,
    Completion,
    Event,
    Message,
    Prompt,
    TokenRange,
)
from edge_agent.engine.params import Edit, Edited


class AdaptedChat:
    """Implements Chat over another; who derives from it says in `_adapted` what is changed."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    @property
    def name(self) -> str:
        return self._chat.name

    @property
    def n_ctx(self) -> int:
        return self._chat.n_ctx

    def count(self, text: str) -> int:
        return self._chat.count(text)

    def prepare(self, request: ChatRequest) -> Prompt:
        return self._chat.prepare(self._adapted(request))

    def extend(
        self,
        prompt: Prompt,
        completion: Completion,
        messages: tuple[Message, ...],
        request: ChatRequest,
    ) -> Prompt:
        return self._chat.extend(prompt, completion, messages, self._adapted(request))

    def stream(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        return self._chat.stream(prompt)

    async def complete(self, prompt: Prompt) -> Completion:
        return await self._chat.complete(prompt)

    async def stop_thinking(self, name: str) -> bool:
        return await self._chat.stop_thinking(name)

    def locate(
        self, prompt: Prompt, texts: Sequence[str], since: int = 0
    ) -> tuple[TokenRange | None, ...]:
        return self._chat.locate(prompt, texts, since)

    async def edit(self, edit: Edit) -> Edited:
        return await self._chat.edit(edit)

    def _adapted(self, request: ChatRequest) -> ChatRequest:
        """The request that is answered in place of this one."""
        return request
