"""The vocabulary of a GGUF: text to token ids and back, and what the file says about its chat."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import llama_cpp
import tiktoken

from edge_agent.errors import ModelLoadError

_WORD = r"'(?i:[sdmt]|ll|ve|re)"
# By `tokenizer.ggml.pre`: how a text is cut before merging, one pattern for what llama.cpp does in
# steps (llama-vocab.cpp). smollm splits off digits first, so blanks before a digit stay whole.
PATTERNS: Mapping[str, str] = MappingProxyType(
    {
        "qwen2": _WORD + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+",
        "smollm": r"\p{N}|'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?[^\s\p{L}\p{N}]+"
        r"|\s+(?![^\s\p{N}])|\s",
    }
)
_LONGEST_FOR_TIKTOKEN = 1_000_000  # bytes; the stack of its matcher is finite


class Vocabulary(Protocol):
    """What chat needs to know of a model's tokens."""

    @property
    def chat_template(self) -> str | None: ...
    @property
    def bos(self) -> str: ...
    @property
    def eos(self) -> str: ...
    @property
    def bos_ids(self) -> tuple[int, ...]:
        """What stands before every prompt: the beginning-of-text id, or nothing."""
        ...

    @property
    def eog_ids(self) -> frozenset[int]:
        """The ids that end a generation."""
        ...

    @property
    def control(self) -> frozenset[str]:
        """Spellings of the tokens that only a template may write."""
        ...

    @property
    def markers(self) -> frozenset[str]:
        """Spellings of the other special tokens, such as `<tool_call>` and `<think>`."""
        ...

    def token_id(self, text: str) -> int | None:
        """The one special token that is spelled so, or None."""
        ...

    def encode(self, text: str, special: bool = True) -> list[int]:
        """Token ids; `special` reads control spellings as their tokens (markers always are)."""
        ...

    def piece(self, token: int) -> bytes:
        """What a token adds to the text; control tokens are spelled out."""
        ...

    def count(self, text: str) -> int: ...


def _silent(level: int, text: bytes, data: Any) -> None:
    """llama.cpp reports a bad file in its log and by returning null; null is enough."""


_SILENT = llama_cpp.llama_log_callback(_silent)  # llama.cpp keeps a pointer to it


class Vocab:
    """A GGUF's vocabulary, loaded without its weights (tens of megabytes, a fraction of a second).

    Byte-level BPE with a known pre-tokenizer is encoded by tiktoken (13 times faster, same ids);
    anything else by llama.cpp.
    """

    def __init__(self, model: Any, path: Path) -> None:
        self._model: Any | None = model
        self._vocab = llama_cpp.llama_model_get_vocab(model)
        self.path = path
        self.n_tokens = int(llama_cpp.llama_vocab_n_tokens(self._vocab))
        self.metadata = _metadata(model)
        self._pieces = self._all_pieces()
        attrs = [llama_cpp.llama_vocab_get_attr(self._vocab, i) for i in range(self.n_tokens)]
        control = _having(attrs, llama_cpp.LLAMA_TOKEN_ATTR_CONTROL)
        defined = _having(attrs, llama_cpp.LLAMA_TOKEN_ATTR_USER_DEFINED) - control
        unknown = _having(attrs, llama_cpp.LLAMA_TOKEN_ATTR_UNKNOWN)
        self._special = {self._spelling(i): i for i in sorted(control | defined | unknown)}
        self.control = frozenset(self._spelling(i) for i in control if self._pieces[i])
        self.markers = frozenset(self._spelling(i) for i in defined if self._pieces[i])
        normal = _having(attrs, llama_cpp.LLAMA_TOKEN_ATTR_NORMAL) - control - defined
        absent = bytes({*range(256)} - {p[0] for p in self._pieces if len(p) == 1})
        self._missing = re.compile(b"[" + re.escape(absent) + b"]" if absent else b"(?!)")
        first, last = llama_cpp.llama_vocab_bos(self._vocab), llama_cpp.llama_vocab_eos(self._vocab)
        self.bos, self.eos = self._spelling(first), self._spelling(last)
        self.bos_ids = (int(first),) if llama_cpp.llama_vocab_get_add_bos(self._vocab) else ()
        ends = llama_cpp.llama_vocab_is_eog
        self.eog_ids = frozenset(i for i in self._special.values() if ends(self._vocab, i))
        self._encoding = self._tiktoken(normal)
        if self._encoding is not None:
            self.close()  # llama.cpp's own tables take 40 MiB at 152k tokens

    @classmethod
    def load(cls, path: Path) -> Vocab:
        """Read the vocabulary of a GGUF file. Raises ModelLoadError."""
        return cls(_open(path), path)

    def close(self) -> None:
        """Give llama.cpp's tables back; they are read again when they are needed."""
        if self._model is not None:
            llama_cpp.llama_model_free(self._model)
            self._model = None
            _trim()

    def _reference(self) -> Any:
        """llama.cpp's vocabulary."""
        if self._model is None:
            model = _open(self.path)
            self._vocab = llama_cpp.llama_model_get_vocab(model)
            self._model = model  # last: another thread may be looking
        return self._vocab

    @property
    def chat_template(self) -> str | None:
        """The jinja source in the file, if it has one."""
        return self.metadata.get("tokenizer.chat_template") or None

    def token_id(self, text: str) -> int | None:
        """The one special token that is spelled so, or None."""
        return self._special.get(text)

    def piece(self, token: int) -> bytes:
        """What a token adds to the text; control tokens are spelled out."""
        return self._pieces[token]

    def count(self, text: str) -> int:
        """Tokens of a plain text."""
        return len(self.encode(text, special=False))

    def encode(self, text: str, special: bool = True) -> list[int]:
        """Token ids; `special` reads control spellings as their tokens (markers always are)."""
        data = text.encode("utf-8", "replace")  # a lone surrogate has no bytes
        usable = len(data) < _LONGEST_FOR_TIKTOKEN and not self._missing.search(data)
        if self._encoding is None or not usable:
            return self.encode_llama(text, special)
        allowed = self.control | self.markers if special else self.markers
        return self._encoding.encode(
            data.decode(), allowed_special=set(allowed), disallowed_special=()
        )

    def encode_llama(self, text: str, special: bool = True) -> list[int]:
        """The same by llama.cpp's own tokenizer: the reference."""
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        ids = (llama_cpp.llama_token * room)()
        n = llama_cpp.llama_tokenize(self._reference(), data, len(data), ids, room, False, special)
        return list(ids[:n])

    def _spelling(self, token: int) -> str:
        return self._pieces[token].decode("utf-8", "replace") if token >= 0 else ""

    def _all_pieces(self) -> list[bytes]:
        buffer = ctypes.create_string_buffer(4096)
        to_piece, size = llama_cpp.llama_token_to_piece, len(buffer)
        lengths = (to_piece(self._vocab, i, buffer, size, 0, True) for i in range(self.n_tokens))
        return [buffer.raw[: max(n, 0)] for n in lengths]

    def _tiktoken(self, normal: frozenset[int]) -> tiktoken.Encoding | None:
        pattern = PATTERNS.get(self.metadata.get("tokenizer.ggml.pre", ""))
        if pattern is None or self.metadata.get("tokenizer.ggml.model") != "gpt2":
            return None
        ranks = {self._pieces[i]: i for i in sorted(normal, reverse=True) if self._pieces[i]}
        special = {text: i for text, i in self._special.items() if text}
        return tiktoken.Encoding(
            self.path.name, pat_str=pattern, mergeable_ranks=ranks, special_tokens=special
        )


def _open(path: Path) -> Any:
    if not path.is_file():
        raise ModelLoadError(f"There is no model file at {path}: pull it or name a GGUF.")
    llama_cpp.llama_log_set(_SILENT, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    params = llama_cpp.llama_model_default_params()
    params.vocab_only = True
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
    if not model:
        raise ModelLoadError(
            f"{path} is not a GGUF that this build of llama.cpp can read, or it is cut: "
            "pull the model again or name another file."
        )
    return model


def _trim() -> None:
    """glibc keeps what was freed unless it is told that nobody wants it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _having(attrs: Sequence[int], flag: int) -> frozenset[int]:
    return frozenset(i for i, attr in enumerate(attrs) if attr & flag)


def _metadata(model: Any) -> dict[str, str]:
    """The scalar metadata of a GGUF as strings."""
    count = llama_cpp.llama_model_meta_count(model)
    key = llama_cpp.llama_model_meta_key_by_index
    value = llama_cpp.llama_model_meta_val_str_by_index
    return {_meta(key, model, i): _meta(value, model, i) for i in range(count)}


def _meta(read: Callable[..., int], model: Any, index: int) -> str:
    needed = read(model, index, ctypes.create_string_buffer(1), 1) + 1
    buffer = ctypes.create_string_buffer(max(needed, 1))
    read(model, index, buffer, len(buffer))
    return buffer.value.decode("utf-8", "replace")
