"""Text that is nothing but text: it ends at a stop string, and nothing in it is understood."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.chat.messages import Text
from edge_agent.chat.parser import Marks, Piece, Span, no_tokens


class PlainParser:
    """As `StreamParser`, for a model that goes on with a text: blanks and markers stay."""

    malformed: None = None
    broken = False

    def __init__(self, stop: Sequence[str] = (), tokens: Span = no_tokens) -> None:
        self._marks = Marks(stop)
        self._tokens = tokens
        self._held = ""
        self._at = 0  # where that begins in all that was fed
        self.stopped = ""  # the stop string that was met; nothing more will come

    def feed(self, text: str) -> list[Piece]:
        """What can be said for certain now."""
        return self._advance(text, end=False)

    def flush(self, cut: bool = False) -> list[Piece]:
        """The rest."""
        return self._advance("", end=True)

    def _advance(self, text: str, end: bool) -> list[Piece]:
        if self.stopped:
            return []
        self._held += text
        length, self.stopped = self._marks.find(self._held, end)
        said, self._held = self._held[:length], self._held[length:]
        self._at += length
        return [Text(said, logprobs=self._tokens(self._at - length, self._at))] if said else []
