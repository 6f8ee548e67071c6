"""The home of llama.cpp's context API: one model, one context, used from one thread.

Positions, sequences and cells are llama.cpp's; what they hold is the caller's record
(`cache.py`). A batch never holds more than `n_batch` tokens, and asks for logits of at most one
token per sequence and `n_draft` more: both are assertions in llama.cpp, which end the process.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import llama_cpp
import numpy as np
from llama_cpp import llama_cpp as lib
from numpy.typing import NDArray

from edge_agent.engine.core.adapters import load_adapters
from edge_agent.engine.core.log import listen
from edge_agent.engine.core.sampler import Sampler
from edge_agent.engine.params import LoadSpec, ModelInfo, SamplingParams
from edge_agent.errors import ModelLoadError

BINDING_VERSION = "0.3.36"
PIECE_BYTES = 4096  # more than any token spells
NEEDED = (
    "llama_model_load_from_file",
    "llama_init_from_model",
    "llama_decode",
    "llama_get_logits_ith",
    "llama_memory_clear",
    "llama_memory_seq_rm",
    "llama_memory_seq_cp",
    "llama_memory_seq_pos_max",
    "llama_set_abort_callback",
    "llama_sampler_chain_init",
    "llama_sampler_sample",
    "llama_sampler_init_penalties",
    "llama_sampler_init_dry",
    "llama_print_system_info",
)
KV_TYPES = {"f16": lib.GGML_TYPE_F16, "q8_0": lib.GGML_TYPE_Q8_0}
LOG_LEVEL_ERROR = 4  # enum ggml_log_level in ggml.h

DecodeResult = Literal["ok", "no_room", "aborted"]
RESULTS: dict[int, DecodeResult] = {0: "ok", 1: "no_room", 2: "aborted"}


def check_binding() -> None:
    """Raise ModelLoadError unless the bound llama.cpp is the one this code was written for."""
    missing = [name for name in NEEDED if not hasattr(lib, name)]
    if missing or llama_cpp.__version__ != BINDING_VERSION:
        lacking = f" (it lacks {', '.join(missing)})" if missing else ""
        raise ModelLoadError(
            f"llama-cpp-python {llama_cpp.__version__} is installed but {BINDING_VERSION} is "
            f"needed{lacking}: run `pip install llama-cpp-python=={BINDING_VERSION}`."
        )


def system_info() -> str:
    """The processor features llama.cpp was built with and found."""
    return str(lib.llama_print_system_info().decode())


@dataclass(frozen=True, slots=True)
class Span:
    """Tokens of one sequence at consecutive positions; `output`: of how many of the last ones the
    logits are wanted."""

    seq: int
    start: int
    ids: Sequence[int]
    output: int


class Batch:
    """llama.cpp's batch over numpy arrays of our own, so that filling it is four assignments."""

    def __init__(self, n_max: int) -> None:
        self._ids = np.zeros(n_max, np.int32)
        self._pos = np.zeros(n_max, np.int32)
        self._seq = np.zeros(n_max, np.int32)
        self._n_seq = np.ones(n_max, np.int32)
        self._logits = np.zeros(n_max, np.int8)
        first = self._seq.ctypes.data
        self._seq_of = np.arange(n_max, dtype=np.uintp) * self._seq.itemsize + first
        self.raw = lib.llama_batch(
            n_tokens=0,
            token=_pointer(self._ids, ctypes.c_int32),
            embd=None,
            pos=_pointer(self._pos, ctypes.c_int32),
            n_seq_id=_pointer(self._n_seq, ctypes.c_int32),
            seq_id=_pointer(self._seq_of, ctypes.POINTER(ctypes.c_int32)),
            logits=_pointer(self._logits, ctypes.c_int8),
        )

    def fill(self, spans: Sequence[Span]) -> list[int]:
        """Lay the spans one after another; returns the batch index of each span's first output (of
        its last token, where none is wanted)."""
        n, first = 0, []
        for span in spans:
            end = n + len(span.ids)
            self._ids[n:end] = span.ids
            self._pos[n:end] = np.arange(span.start, span.start + len(span.ids))
            self._seq[n:end] = span.seq
            self._logits[n:end] = 0
            self._logits[end - span.output : end] = 1
            first.append(end - max(span.output, 1))
            n = end
        self.raw.n_tokens = n
        return first


def _pointer(array: NDArray[Any], ctype: Any) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(ctype))


class Llama:
    """A loaded model with its context. `log` receives llama.cpp's error lines."""

    def __init__(
        self, spec: LoadSpec, n_seq_max: int, n_draft: int, log: Callable[[str], None]
    ) -> None:
        check_binding()
        self._errors: list[str] = []
        self._log = log
        listen(self._on_log)
        lib.llama_backend_init()
        self._model = self._load(spec)
        self._vocab = lib.llama_model_get_vocab(self._model)
        self._context = self._open(spec, n_seq_max, n_draft)
        load_adapters(self._model, self._context, spec.adapters, self._last_error)
        self._memory = lib.llama_get_memory(self._context)
        self._batch = Batch(spec.n_batch)
        # strlen over two bytes is a C callback that says "abort" once the first byte is not 0,
        # and needs no interpreter lock to say it
        self._abort = ctypes.create_string_buffer(2)
        strlen = ctypes.cast(ctypes.CDLL(None).strlen, lib.ggml_abort_callback)
        lib.llama_set_abort_callback(
            self._context, strlen, ctypes.cast(self._abort, ctypes.c_void_p)
        )
        self.n_vocab = int(lib.llama_vocab_n_tokens(self._vocab))
        self.info = self._describe(spec)
        self.build = f"{BINDING_VERSION} {system_info()}"

    def _on_log(self, level: int, text: str) -> None:
        line = text.strip()
        if level == LOG_LEVEL_ERROR and not line.endswith("ret = 2"):  # 2 is our own abort
            self._errors.append(line)
            self._log(line)

    def _load(self, spec: LoadSpec) -> Any:
        params = lib.llama_model_default_params()
        params.n_gpu_layers = spec.n_gpu_layers
        params.use_extra_bufts = spec.use_extra_bufts
        model = lib.llama_model_load_from_file(spec.path.encode(), params)
        if not model:
            raise ModelLoadError(f"{spec.path} could not be loaded: {self._last_error()}.")
        return model

    def _open(self, spec: LoadSpec, n_seq_max: int, n_draft: int) -> Any:
        params = lib.llama_context_default_params()
        params.n_ctx = spec.n_ctx
        params.n_batch = params.n_ubatch = spec.n_batch
        params.n_seq_max = n_seq_max
        params.n_outputs_max = n_seq_max + n_draft
        params.n_outputs_max_per_seq = 1 + n_draft
        params.n_threads = params.n_threads_batch = spec.n_threads
        params.type_k = params.type_v = KV_TYPES[spec.kv_type]
        params.kv_unified = True
        context = lib.llama_init_from_model(self._model, params)
        if not context:
            lib.llama_model_free(self._model)
            raise ModelLoadError(
                f"No context of {spec.n_ctx} tokens could be made for {spec.path}: "
                f"{self._last_error()}. Use a smaller --ctx-size."
            )
        return context

    def _last_error(self) -> str:
        return self._errors[-1].rstrip(".") if self._errors else "llama.cpp gave no reason"

    def _describe(self, spec: LoadSpec) -> ModelInfo:
        name = ctypes.create_string_buffer(256)
        lib.llama_model_desc(self._model, name, len(name))
        return ModelInfo(
            path=spec.path,
            description=name.value.decode(errors="replace"),
            n_ctx=int(lib.llama_n_ctx(self._context)),
            n_ctx_train=int(lib.llama_model_n_ctx_train(self._model)),
            n_vocab=self.n_vocab,
            n_params=int(lib.llama_model_n_params(self._model)),
            size_bytes=int(lib.llama_model_size(self._model)),
            system_info=system_info(),
        )

    @property
    def vocab(self) -> Any:
        """The vocabulary's handle, for llguidance."""
        return self._vocab

    def text(self, ids: Iterable[int]) -> bytes:
        """What the tokens spell, marks included."""
        buffer, spelled = ctypes.create_string_buffer(PIECE_BYTES), b""
        for id in ids:
            n = lib.llama_token_to_piece(self._vocab, id, buffer, PIECE_BYTES, 0, True)
            spelled += buffer.raw[: max(n, 0)]
        return spelled

    def is_eog(self, token: int) -> bool:
        """Whether `token` ends a generation."""
        return bool(lib.llama_vocab_is_eog(self._vocab, token))

    @cached_property
    def eog_ids(self) -> tuple[int, ...]:
        """Every token that ends a generation."""
        return tuple(id for id in range(self.n_vocab) if self.is_eog(id))

    @cached_property
    def marks(self) -> tuple[int, ...]:
        """Every token that is no part of ordinary text."""
        special = lib.LLAMA_TOKEN_ATTR_CONTROL | lib.LLAMA_TOKEN_ATTR_USER_DEFINED
        attr = lib.llama_vocab_get_attr
        return tuple(i for i in range(self.n_vocab) if attr(self._vocab, i) & special)

    def decode(self, spans: Sequence[Span]) -> tuple[DecodeResult, list[int]]:
        """Compute the spans; the batch indices are where `logits` and `sample` find the first
        output of each, the others behind it."""
        indices = self._batch.fill(spans)
        status = int(lib.llama_decode(self._context, self._batch.raw))
        lib.llama_synchronize(self._context)  # an accelerator has only begun: a step is timed
        if status in RESULTS:
            return RESULTS[status], indices
        raise RuntimeError(f"llama_decode returned {status}: {self._last_error()}")

    def use_threads(self, n: int) -> None:
        """Compute with so many threads from now on."""
        lib.llama_set_n_threads(self._context, n, n)

    def abort(self, wanted: bool) -> None:
        """Stop the running decode as soon as it looks (CPU only), or let the next ones run."""
        self._abort[0] = b"\x01" if wanted else b"\x00"

    def logits(self, index: int) -> NDArray[np.float32]:
        """The logits at a batch index, shape (n_vocab,), writable, valid until the next decode."""
        pointer = lib.llama_get_logits_ith(self._context, index)
        return np.ctypeslib.as_array(pointer, (self.n_vocab,))

    def sampler(self, params: SamplingParams, seed: int) -> Sampler:
        """A sampler of its own for one sequence."""
        return Sampler(self._vocab, self.info.n_ctx, params, seed)

    def share(self, source: int, target: int, length: int) -> None:
        """Let `target` hold the first `length` tokens of `source` too; no copy."""
        lib.llama_memory_seq_cp(self._memory, source, target, 0, length)

    def truncate(self, seq: int, length: int) -> bool:
        """Forget what `seq` holds from position `length` on; False where the model cannot."""
        return bool(lib.llama_memory_seq_rm(self._memory, seq, length, -1))

    def clear(self) -> None:
        """Forget what every sequence holds; the next tokens take the first cells."""
        lib.llama_memory_clear(self._memory, False)

    @property
    def can_cut(self) -> bool:
        """Whether a part of a sequence can be forgotten: not so where a state sums it all up."""
        summed = lib.llama_model_is_recurrent(self._model) or lib.llama_model_is_hybrid(self._model)
        return not summed

    def cut(self, seq: int, start: int, stop: int) -> bool:
        """Forget positions start to stop of `seq` and move those behind down; False where the
        model cannot, and then nothing has changed."""
        if not (self.can_cut and lib.llama_memory_can_shift(self._memory)):
            return False
        if not lib.llama_memory_seq_rm(self._memory, seq, start, stop):
            return False
        lib.llama_memory_seq_add(self._memory, seq, stop, -1, start - stop)
        return True

    def save(self, seq: int) -> NDArray[np.uint8]:
        """The keys and values of `seq` as bytes."""
        size = int(lib.llama_state_seq_get_size(self._context, seq))
        state = np.empty(size, np.uint8)
        written = lib.llama_state_seq_get_data(
            self._context, _pointer(state, ctypes.c_uint8), size, seq
        )
        return state[: int(written)]

    def load(self, seq: int, state: NDArray[np.uint8]) -> bool:
        """Give `seq`, which is empty, what `save` returned; False when there is no room for it."""
        source = _pointer(np.ascontiguousarray(state), ctypes.c_uint8)
        return bool(lib.llama_state_seq_set_data(self._context, source, state.size, seq))

    def length(self, seq: int) -> int:
        """Tokens that `seq` holds in the KV cache."""
        return int(lib.llama_memory_seq_pos_max(self._memory, seq)) + 1

    def close(self) -> None:
        lib.llama_free(self._context)
        lib.llama_model_free(self._model)
