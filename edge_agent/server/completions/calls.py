"""Tool calls on the wire, whole or as they are written."""

from __future__ import annotations

from typing import Any

from edge_agent.chat.messages import CallPiece, ToolCall

Json = dict[str, Any]


def tool_call(call: ToolCall) -> Json:
    """A whole call."""
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


class CallDeltas:
    """The deltas of one choice's calls: the name first, then the arguments as they come."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def feed(self, event: CallPiece | ToolCall) -> list[Json]:
        """What is new; nothing for a whole call that went out in pieces."""
        if isinstance(event, CallPiece):
            named = [self._name(event.id, event.name)] if event.name else []
            return [*named, *self._arguments(event.id, event.arguments)]
        if event.id in self._places:
            return []
        return [self._name(event.id, event.name), *self._arguments(event.id, event.arguments)]

    def _name(self, id: str, name: str) -> Json:
        place = self._places.setdefault(id, len(self._places))
        function = {"name": name, "arguments": ""}
        return {"index": place, "id": id, "type": "function", "function": function}

    def _arguments(self, id: str, arguments: str) -> list[Json]:
        place = self._places[id]
        return [{"index": place, "function": {"arguments": arguments}}] if arguments else []
