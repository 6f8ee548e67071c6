"""A chat whose generations are drawn with a seed that changes from try to try."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from edge_agent.chat.messages import (
    Chat,
    ChatRequest,
    Completion,
    Event,
    Message,
    Prompt,
    TokenRange,
)
from edge_agent.engine.params import Edit, Edited, SamplingParams


class SeededChat:
    """Implements Chat over another.

    sampling: of requests that name none. warmth: the temperature in place of greedy, so that tries
    differ; None leaves greedy requests as they are. `seed` is set before each try and added to the
    seeds that requests have; None leaves those alone.
    """

    def __init__(self, chat: Chat, sampling: SamplingParams, warmth: float | None = None) -> None:
        self._chat = chat
        self._sampling = sampling
        self._warmth = warmth
        self.seed: int | None = None

    @property
    def name(self) -> str:
        return self._chat.name

    @property
    def n_ctx(self) -> int:
        return self._chat.n_ctx

    def count(self, text: str) -> int:
        return self._chat.count(text)

    def prepare(self, request: ChatRequest) -> Prompt:
        return self._chat.prepare(self._drawn(request))

    def extend(
        self,
        prompt: Prompt,
        completion: Completion,
        messages: tuple[Message, ...],
        request: ChatRequest,
    ) -> Prompt:
        return self._chat.extend(prompt, completion, messages, self._drawn(request))

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

    def _drawn(self, request: ChatRequest) -> ChatRequest:
        sampling = request.sampling or self._sampling
        if sampling.temperature == 0:
            sampling = sampling.with_(temperature=self._warmth)
        if self.seed is not None:
            sampling = sampling.with_(seed=self.seed + (sampling.seed or 0))
        return replace(request, sampling=sampling)
