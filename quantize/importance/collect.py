"""Collects an importance matrix while a model reads a text.

As llama-imatrix does: for every weight of a block, the squares of what is multiplied with it are
summed per column over all tokens of the text; the text is read in chunks that know nothing of each
other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as lib

from edge_agent.catalog.gguf import read_gguf
from edge_agent.errors import BadModelFile, NotSupported, RequestError
from quantize.checkpoint.safetensors import Floats
from quantize.context import BATCH, Loaded, Opening, opened
from quantize.importance.matrix import Importance, write_importance
from quantize.importance.tensor import F32, product_number, rows_of, tensor_at, weight_name
from quantize.progress import Progress, silent

CHUNK_TOKENS = 512
LEAST_ROWS = 16  # as llama-imatrix: fewer say little


@dataclass(frozen=True, slots=True)
class Asked:
    """chunks 0 reads the whole text."""

    model: Path
    text: Path
    target: Path
    chunk_tokens: int = CHUNK_TOKENS
    chunks: int = 0
    threads: int = 1


class Collector:
    """Sums per weight; its `callback` is called by llama.cpp during a decode."""

    def __init__(self) -> None:
        self.sums: dict[str, Floats] = {}
        self.counts: dict[str, int] = {}
        self._product = product_number()
        self._failed = ""
        self.callback: Any = lib.ggml_backend_sched_eval_callback(self._called)

    def _called(self, address: int, ask: bool, _user: object) -> bool:
        # an exception cannot pass through C: it is kept, and told by `check`
        try:
            tensor = tensor_at(address)
            if ask:
                return self._wants(tensor)
            self._take(weight_name(tensor.src[0].contents), rows_of(tensor.src[1].contents))
        except Exception as error:
            self._failed = self._failed or f"{type(error).__name__}: {error}"
        return True

    def _wants(self, tensor: Any) -> bool:
        if tensor.op != self._product:
            return False
        seen = tensor.src[1].contents
        if seen.type != F32 or seen.ne[1] < LEAST_ROWS:
            return False
        return weight_name(tensor.src[0].contents).startswith("blk.")

    def _take(self, name: str, rows: Floats) -> None:
        squares = np.einsum("rc,rc->c", rows, rows)
        if not np.isfinite(squares).all():
            raise ValueError(f"the activations at {name} are not finite")
        self.sums[name] = self.sums.get(name, np.float32(0)) + squares
        self.counts[name] = self.counts.get(name, 0) + len(rows)

    def check(self) -> None:
        """Raise BadModelFile when the callback failed or saw nothing."""
        if self._failed:
            raise BadModelFile(f"The activations could not be read ({self._failed}).")
        if not self.sums:
            raise BadModelFile("llama.cpp showed no activations: is the text long enough?")


def collect(asked: Asked, progress: Progress = silent) -> Importance:
    """Read the text with the model and write what was seen.

    Raises RequestError for a text that is too short, NotSupported for a mixture of experts,
    BadModelFile for a model that cannot be computed.
    """
    if read_gguf(asked.model).number("expert_count"):
        raise NotSupported(f"{asked.model} is a mixture of experts: imatrix reads dense models.")
    text = read_text(asked.text)
    collector = Collector()
    opening = Opening(asked.model, asked.chunk_tokens, asked.threads, collector.callback)
    with opened(opening) as model:
        chunks = chunks_of(model, text, asked)
        for i, chunk in enumerate(chunks):
            read_chunk(model, chunk)
            collector.check()
            progress("imatrix", i + 1, len(chunks))
    made = _made(asked, collector, len(chunks))
    write_importance(made)
    return made


def read_text(path: Path) -> str:
    """Raises RequestError where it is no UTF-8 file."""
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise RequestError(f"{path} is not UTF-8 text.") from None


def chunks_of(model: Loaded, text: str, asked: Asked) -> list[list[int]]:
    """The text's tokens in whole chunks; each begins as the model's texts begin."""
    ids = model.tokens(text)
    size = asked.chunk_tokens
    if len(ids) < size:
        raise RequestError(
            f"{asked.text} has {len(ids)} tokens and one chunk has {size}: give a longer text or "
            "a smaller --chunk."
        )
    found = [ids[at : at + size] for at in range(0, len(ids) - size + 1, size)]
    found = found[: asked.chunks] if asked.chunks else found
    return [[model.bos, *chunk[1:]] for chunk in found] if model.adds_bos else found


def read_chunk(model: Loaded, chunk: Sequence[int]) -> None:
    """Every token gives out logits, or the last block would only see a few of them."""
    model.forget()
    for at in range(0, len(chunk), BATCH):
        part = chunk[at : at + BATCH]
        model.read(part, at, len(part))


def _made(asked: Asked, collector: Collector, n_chunks: int) -> Importance:
    counts = {name: np.array([n], np.float32) for name, n in collector.counts.items()}
    return Importance(
        asked.target, collector.sums, counts, [asked.text.name], n_chunks, asked.chunk_tokens
    )
