"""A text side of bytes, and a reader that makes vectors of what it is asked."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Sequence

import numpy as np

from edge_agent.chat.messages import ChatRequest, Event, Prompt
from edge_agent.chat.text import TextRequest
from edge_agent.errors import RequestError
from edge_agent.tools.embed import Read
from tests.chat.fakes import FakeVocab
from tests.patience import HANG_S


class FakeTexts:
    """Implements TextModel: one token for each byte, special tokens above; nothing is generated."""

    path, template, eos = "fake.gguf", "", "<|im_end|>"
    bos, bos_ids = "<|endoftext|>", (258,)
    eog_ids: frozenset[int] = frozenset()
    n_vocab = 263

    def __init__(self) -> None:
        self._vocab = FakeVocab()
        self.requests: list[ChatRequest] = []

    def encode(self, text: str, special: bool = True) -> list[int]:
        return self._vocab.encode(text.encode("utf-8", "replace").decode(), special)

    def token_id(self, text: str) -> int | None:
        return self._vocab.token_id(text)

    def piece(self, token: int) -> bytes:
        if not 0 <= token < self.n_vocab:
            raise RequestError(f"{token} is not a token id of this model.")
        return self._vocab.piece(token)

    def text(self, ids: Sequence[int]) -> str:
        return b"".join(map(self.piece, ids)).decode("utf-8", "replace")

    def render(self, request: ChatRequest) -> str:
        self.requests.append(request)
        return "|".join(message.content for message in request.messages)

    def prepare(self, request: TextRequest) -> Prompt:
        raise RequestError("Nothing is generated here.")

    def stream(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        raise RequestError("Nothing is generated here.")


class FakeReader:
    """Implements TextReader: (1, 0) for a text of cats, (0, 1) for others, a token a word.

    `hold` keeps it reading until it is set.
    """

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.reading, self.hold = threading.Event(), threading.Event()
        self.hold.set()
        self.threads: set[str] = set()

    def read(self, texts: Sequence[str]) -> Read:
        self.threads.add(threading.current_thread().name)
        self.batches.append(list(texts))
        self.reading.set()
        assert self.hold.wait(HANG_S)
        rows = [(1.0, 0.0) if "cat" in text else (0.0, 1.0) for text in texts]
        return Read(np.array(rows, dtype=np.float32), sum(len(text.split()) for text in texts))
