"""A GGUF loaded to be measured: tokens in, the logits of every one of them out."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as lib

from edge_agent.catalog.gguf import read_gguf
from edge_agent.errors import BadModelFile
from quantize.checkpoint.safetensors import Floats
from quantize.hush import hushed

BATCH = 128  # tokens at once: what they give out takes 128 * n_vocab * 4 bytes
PIECE_BYTES = 512
FLASH_OFF = 0  # enum llama_flash_attn_type


@dataclass(frozen=True, slots=True)
class Opening:
    """How a model is opened. on_tensor: llama.cpp's evaluation callback, see `collect.py`.

    exact: keep keys and values as float32, where the last digits of logits are looked at.
    """

    path: Path
    n_ctx: int
    threads: int
    on_tensor: Any = None
    exact: bool = False


class Loaded:
    """A model and its context, used from one thread."""

    def __init__(self, model: Any, context: Any) -> None:
        self._context = context
        self._vocab = lib.llama_model_get_vocab(model)
        self._memory = lib.llama_get_memory(context)
        self.n_vocab = int(lib.llama_vocab_n_tokens(self._vocab))
        self.adds_bos = bool(lib.llama_vocab_get_add_bos(self._vocab))
        self.bos = int(lib.llama_vocab_bos(self._vocab))

    def tokens(self, text: str) -> list[int]:
        """The text's ids, its marks as marks, without one at the beginning."""
        data = text.encode()
        ids = (ctypes.c_int32 * (len(data) + 16))()
        n = lib.llama_tokenize(self._vocab, data, len(data), ids, len(ids), False, True)
        return list(ids[: max(0, n)])

    def text(self, ids: Sequence[int]) -> str:
        """What the ids spell, marks included."""
        buffer, spelled = ctypes.create_string_buffer(PIECE_BYTES), b""
        for id in ids:
            n = lib.llama_token_to_piece(self._vocab, id, buffer, PIECE_BYTES, 0, True)
            spelled += buffer.raw[: max(n, 0)]
        return spelled.decode(errors="replace")

    def ends(self, id: int) -> bool:
        """Whether a model that writes `id` has finished."""
        return bool(lib.llama_vocab_is_eog(self._vocab, id))

    def forget(self) -> None:
        """Begin anew at position 0."""
        lib.llama_memory_clear(self._memory, True)

    def cut(self, length: int) -> None:
        """Forget everything from position `length` on."""
        lib.llama_memory_seq_rm(self._memory, 0, length, -1)

    def read(self, ids: Sequence[int], start: int, outputs: int) -> Floats:
        """Compute ids at positions `start`, `start` + 1, ...; at most BATCH of them.

        Returns the logits of the last `outputs` of them, shape (outputs, n_vocab), valid until the
        next call. Raises BadModelFile where llama.cpp cannot compute them.
        """
        with _batch(ids, start, outputs) as batch:
            code = lib.llama_decode(self._context, batch)
        if code != 0:
            raise BadModelFile(f"llama.cpp cannot compute this model (code {code}).")
        lib.llama_synchronize(self._context)
        if not outputs:
            return np.empty((0, self.n_vocab), np.float32)
        pointer = lib.llama_get_logits(self._context)
        return np.ctypeslib.as_array(pointer, (outputs, self.n_vocab))


@contextmanager
def _batch(ids: Sequence[int], start: int, outputs: int) -> Iterator[Any]:
    batch = lib.llama_batch_init(len(ids), 0, 1)
    try:
        batch.n_tokens = len(ids)
        for i, id in enumerate(ids):
            batch.token[i], batch.pos[i] = id, start + i
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
            batch.logits[i] = i >= len(ids) - outputs
        yield batch
    finally:
        lib.llama_batch_free(batch)


@contextmanager
def opened(opening: Opening) -> Iterator[Loaded]:
    """The model, as long as the block lasts. Raises BadModelFile where llama.cpp refuses it."""
    read_gguf(opening.path)  # a cut file is told in words of ours
    with hushed() as said:
        lib.llama_backend_init()
        params = lib.llama_model_default_params()
        params.use_extra_bufts = False  # with AMX the weights would be held twice
        model = lib.llama_model_load_from_file(str(opening.path).encode(), params)
        if not model:
            raise BadModelFile(f"{opening.path} could not be loaded: {_last(said)}")
        context = lib.llama_init_from_model(model, _context_params(opening))
        try:
            if not context:
                raise BadModelFile(f"{opening.path} could not be opened: {_last(said)}")
            yield Loaded(model, context)
        finally:
            if context:
                lib.llama_free(context)
            lib.llama_model_free(model)


def _context_params(opening: Opening) -> Any:
    params = lib.llama_context_default_params()
    params.n_ctx = opening.n_ctx
    params.n_batch = params.n_ubatch = BATCH
    params.n_outputs_max = params.n_outputs_max_per_seq = BATCH
    params.n_threads = params.n_threads_batch = opening.threads
    if opening.exact:
        params.type_k = params.type_v = lib.GGML_TYPE_F32
        params.flash_attn_type = FLASH_OFF  # it rounds to f16 inside
    if opening.on_tensor is not None:
        params.cb_eval = opening.on_tensor
    return params


def _last(said: list[str]) -> str:
    return said[-1] if said else "llama.cpp gave no reason."
