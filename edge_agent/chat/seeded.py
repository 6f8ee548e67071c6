"""A chat whose generations are drawn with a seed that changes from try to try."""

from __future__ import annotations

from dataclasses import replace

from edge_agent.chat.adapted import AdaptedChat
from edge_agent.chat.messages import Chat, ChatRequest
from edge_agent.engine.params import SamplingParams


class SeededChat(AdaptedChat):
    """Implements Chat over another.

    sampling: of requests that name none. warmth: the temperature in place of greedy, so that tries
    differ; None leaves greedy requests as they are. `seed` is set before each try and added to the
    seeds that requests have; None leaves those alone.
    """

    def __init__(self, chat: Chat, sampling: SamplingParams, warmth: float | None = None) -> None:
        super().__init__(chat)
        self._sampling = sampling
        self._warmth = warmth
        self.seed: int | None = None

    def _adapted(self, request: ChatRequest) -> ChatRequest:
        sampling = request.sampling or self._sampling
        if sampling.temperature == 0:
            sampling = sampling.with_(temperature=self._warmth)
        if self.seed is not None:
            sampling = sampling.with_(seed=self.seed + (sampling.seed or 0))
        return replace(request, sampling=sampling)
