"""A chat as one holder has it: no other can stop what it thinks."""

from __future__ import annotations

from dataclasses import replace

from edge_agent.chat.adapted import AdaptedChat
from edge_agent.chat.messages import Chat, ChatRequest
from edge_agent.errors import NotFound


class HeldChat(AdaptedChat):
    """The names of generations, by which they are told to stop thinking, are the holder's own."""

    def __init__(self, chat: Chat, holder: str) -> None:
        super().__init__(chat)
        self._holder = holder

    async def stop_thinking(self, name: str) -> bool:
        """See `messages.Chat.stop_thinking`."""
        try:
            return await super().stop_thinking(self._held(name))
        except NotFound as error:
            raise NotFound(str(error).replace(self._held(name), name)) from None

    def _adapted(self, request: ChatRequest) -> ChatRequest:
        return replace(request, name=self._held(request.name)) if request.name else request

    def _held(self, name: str) -> str:
        return f"{self._holder}/{name}"
