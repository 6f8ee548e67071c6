"""The embedding model behind the routes: one thread that gives way to the model that writes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edge_agent.tools.embed import Read, Vectors

# What is read between two moments at which a request can end, or another begin: a tenth of a second
BITE = 4000  # characters
MOUTHFUL = 32  # texts
LOW = 10  # added to its niceness: a tenth of a core that others want whole


class TextReader(Protocol):
    """Whatever reads whole texts into vectors, and says how many tokens they had."""

    def read(self, texts: Sequence[str]) -> Read:
        """See `Embedder.read`."""
        ...


@dataclass(frozen=True, slots=True)
class Embedded:
    """vectors: (texts, dimension), each row of length 1. n_tokens: of all texts together."""

    vectors: Vectors
    n_tokens: int


class EmbeddingModel:
    """Embeds for the routes, a few texts at a time; requests take turns.

    A second core would be taken from the model that writes, so there is one thread, of low
    priority where the system has one for threads (Linux). name: what clients read as the model.
    """

    def __init__(self, name: str, reader: TextReader) -> None:
        self.name = name
        self._reader = reader
        self._thread = ThreadPoolExecutor(1, "embedding", _step_back)

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """Cancelling ends it after the texts that are being read. Raises BadModelFile."""
        loop = asyncio.get_running_loop()
        done: list[Read] = []
        for some in bites(texts):
            done.append(await loop.run_in_executor(self._thread, self._reader.read, some))
        vectors = np.concatenate([read.vectors for read in done])
        return Embedded(vectors, sum(read.n_tokens for read in done))

    def close(self) -> None:
        """End the thread, once it has read what it is reading."""
        self._thread.shutdown(cancel_futures=True)


def bites(texts: Sequence[str]) -> Iterator[list[str]]:
    """All of them, in order, a few at a time: up to BITE characters and a text more."""
    bite: list[str] = []
    for text in texts:
        bite.append(text)
        if len(bite) == MOUTHFUL or sum(map(len, bite)) >= BITE:
            yield bite
            bite = []
    if bite:
        yield bite


def _step_back() -> None:
    if sys.platform == "linux":  # elsewhere it would be the whole process
        os.nice(LOW)
