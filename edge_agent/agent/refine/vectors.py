"""Vectors of texts, made once: what was embedded a moment ago is not embedded again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_agent.tools.embed import TextEmbedder, Vectors

MOST_REMEMBERED = 2048  # vectors of 384 float32 take 3 MiB


class VectorMemory:
    """Implements TextEmbedder over another one; the vectors used last stay. Any thread may call."""

    def __init__(self, embedder: TextEmbedder, size: int = MOST_REMEMBERED) -> None:
        self._embedder = embedder
        self._size = size
        self._known: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See TextEmbedder."""
        found = self._recall(texts)
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        if missing or not texts:
            made = self._embedder.encode(missing)
            if not texts:
                return made
            found.update(zip(missing, made, strict=True))
            self._remember(missing, made)
        return np.stack([found[text] for text in texts])

    def _recall(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        with self._lock:
            found = {text: self._known[text] for text in texts if text in self._known}
            for text in found:
                self._known.move_to_end(text)
        return found

    def _remember(self, texts: Sequence[str], vectors: Vectors) -> None:
        with self._lock:
            # a row alone, or it would hold its whole batch in memory
            self._known.update((t, v.copy()) for t, v in zip(texts, vectors, strict=True))
            while len(self._known) > self._size:
                self._known.popitem(last=False)
