"""Token bytes to text, never half a character."""

from __future__ import annotations

import codecs


class Detokenizer:
    """Feed it the bytes of each token; bytes that are no UTF-8 become U+FFFD."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def inside(self) -> bool:
        """Whether the bytes so far end inside a character."""
        return bool(self._decoder.getstate()[0])

    def feed(self, piece: bytes) -> str:
        """The characters that are complete now."""
        return self._decoder.decode(piece)

    def flush(self) -> str:
        """U+FFFD when the stream ended inside a character."""
        return self._decoder.decode(b"", final=True)
