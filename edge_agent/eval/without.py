"""What an ablation takes away, where no field of the profile does."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, replace

from edge_agent.agent.refine.weights import WEIGHTS, Weights
from edge_agent.chat.adapted import AdaptedChat
from edge_agent.chat.messages import Chat, ChatRequest
from edge_agent.errors import RequestError

PARTS = {
    "constraints": "the schemas and grammars of what the model writes",
    "lookup": "the drafts by prompt lookup",
    "ranking": "the order of passages by worth (what stands first is kept)",
}
NO_WEIGHTS = Weights(**{field.name: 0.0 for field in fields(Weights)})


def known(parts: Collection[str]) -> frozenset[str]:
    """The parts as a set. Raises RequestError for one that cannot be taken away."""
    for part in parts:
        if part not in PARTS:
            raise RequestError(f"--without {part}: use one of {', '.join(PARTS)}.", "without")
    return frozenset(parts)


def weights(parts: Collection[str]) -> Weights:
    """How passages are ranked without these parts."""
    return NO_WEIGHTS if "ranking" in parts else WEIGHTS


class ChatWithout(AdaptedChat):
    """Implements Chat over another, without these parts."""

    def __init__(self, chat: Chat, parts: Collection[str]) -> None:
        super().__init__(chat)
        self._parts = frozenset(parts)

    def _adapted(self, request: ChatRequest) -> ChatRequest:
        if "constraints" in self._parts:
            request = replace(request, response_schema=None, grammar=None)
        return replace(request, speculate=False) if "lookup" in self._parts else request
