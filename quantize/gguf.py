"""Quantises a GGUF with llama.cpp's own quantiser."""

from __future__ import annotations

import ctypes
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import llama_cpp
from llama_cpp import llama_cpp as lib

from edge_agent.catalog.gguf import BLOCKS, GgufHeader, read_gguf
from edge_agent.errors import BadModelFile, RequestError
from quantize.checkpoint.safetensors import Floats
from quantize.hush import ERROR, listen
from quantize.importance.matrix import Importance
from quantize.progress import Progress, silent
from quantize.whole import whole

PREFIX = "LLAMA_FTYPE_MOSTLY_"
USUAL = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0", "IQ4_XS", "Q3_K_M")
BUFFER_BYTES = 512 << 20  # rows of one tensor that llama.cpp may hold as floats at once
STEP = re.compile(r"\[ *(\d+)/ *(\d+)\]")
FALLEN = re.compile(r"(\d+) of \d+ tensor\(s\) required fallback")
WAIT_S = 0.1
KEY_BYTES = 127  # of a text in llama_model_kv_override, without its end
TAG_INT, TAG_STR = 0, 3  # enum llama_model_kv_override_type


@dataclass(frozen=True, slots=True)
class Override:
    """Tensors whose name the regular expression `pattern` finds get `type`, such as Q6_K."""

    pattern: str
    type: str


@dataclass(frozen=True, slots=True)
class Asked:
    """threads 0 takes all cores."""

    type: str
    threads: int = 0
    importance: Importance | None = None
    overrides: Sequence[Override] = ()


@dataclass(frozen=True, slots=True)
class Quantized:
    """fallbacks: tensors whose rows do not fit the type's blocks, and that got a larger type.

    requantized: whether the source had lost quality before.
    """

    path: Path
    bytes_before: int
    bytes_after: int
    fallbacks: int
    requantized: bool


def file_types() -> dict[str, int]:
    """Names such as Q4_K_M and their numbers in this build of llama.cpp."""
    names = (name for name in dir(llama_cpp) if name.startswith(PREFIX))
    return {name.removeprefix(PREFIX): int(getattr(llama_cpp, name)) for name in names}


def tensor_types() -> dict[str, int]:
    """Names such as Q4_K and their numbers in this build of llama.cpp."""
    names = (name for name in dir(llama_cpp) if name.startswith("GGML_TYPE_"))
    return {name.removeprefix("GGML_TYPE_"): int(getattr(llama_cpp, name)) for name in names}


def quantize_gguf(
    source: Path, target: Path, asked: Asked, progress: Progress = silent
) -> Quantized:
    """Write `source` to `target`, which appears in one step when it is whole.

    Raises RequestError for a type or an override that cannot be, BadModelFile for a file llama.cpp
    does not accept, CatalogError for a full disk.
    """
    number = _number_of(asked.type)
    header = read_gguf(source)
    _check(header, target, asked)
    log = _Log(progress)
    means = asked.importance.means if asked.importance else {}  # C holds only their addresses
    with whole(target, source.stat().st_size) as part:
        params = _params(number, asked, means)
        code = _in_thread(lambda: _call(source, part, params), log.hear)
        if code != 0 or not part.is_file():
            raise BadModelFile(f"{source} could not be quantised: {log.reason(code)}")
    before, after = source.stat().st_size, target.stat().st_size
    requantized = any(BLOCKS.get(tensor.kind, (1, 0))[0] > 1 for tensor in header.tensors)
    return Quantized(target, before, after, log.fallbacks, requantized)


def _number_of(type: str) -> int:
    known = file_types()
    if type not in known:
        others = ", ".join(sorted(set(known) - set(USUAL)))
        raise RequestError(f"{type} is no type: choose one of {', '.join(USUAL)}; or {others}.")
    return known[type]


def _check(header: GgufHeader, target: Path, asked: Asked) -> None:
    if target.exists() and target.samefile(header.path):
        raise RequestError(f"{target} would be written over itself: name another file.")
    if asked.importance:
        asked.importance.check(header)
    for override in asked.overrides:
        _check_override(header, override)


def _check_override(header: GgufHeader, override: Override) -> None:
    kind = tensor_types().get(override.type)
    if kind is None or kind not in BLOCKS:
        raise RequestError(f"{override.type} is no type of a tensor, such as Q6_K or F16.")
    try:
        pattern = re.compile(override.pattern)
    except re.error as error:
        raise RequestError(f"{override.pattern!r} is no regular expression: {error}.") from None
    hit = [tensor for tensor in header.tensors if pattern.search(tensor.name)]
    if not hit:
        raise RequestError(f"No tensor of {header.path} is named like {override.pattern!r}.")
    per_block = BLOCKS[kind][0]
    for tensor in hit:
        if len(tensor.shape) > 1 and tensor.shape[0] % per_block:
            raise RequestError(
                f"{tensor.name} has rows of {tensor.shape[0]} weights, which {override.type} "
                f"cannot hold (it packs {per_block} together)."
            )


def _params(number: int, asked: Asked, means: Mapping[str, Floats]) -> Any:
    params = lib.llama_model_quantize_default_params()
    params.ftype = number
    params.nthread = asked.threads
    params.allow_requantize = True
    params.max_buf_size = BUFFER_BYTES
    if asked.importance:
        params.imatrix = _imatrix(means)
        params.kv_overrides = _provenance(asked.importance)
    if asked.overrides:
        types = tensor_types()
        entries = [(o.pattern.encode(), types[o.type]) for o in asked.overrides]
        params.tt_overrides = _ended(lib.llama_model_tensor_override, entries)
    return params


def _ended(kind: Any, entries: Sequence[tuple[Any, ...]]) -> Any:
    """A C array with an empty entry at its end."""
    return (kind * (len(entries) + 1))(*entries)


def _imatrix(means: Mapping[str, Floats]) -> Any:
    """Addresses of `means`, which must live as long as they are used."""
    pointer = ctypes.POINTER(ctypes.c_float)
    entries = [
        (name.encode(), values.ctypes.data_as(pointer), values.size)
        for name, values in means.items()
    ]
    return _ended(lib.llama_model_imatrix_data, entries)


def _provenance(importance: Importance) -> Any:
    texts = {
        "quantize.imatrix.file": importance.path.name,
        "quantize.imatrix.dataset": ", ".join(importance.datasets),
    }
    counts = {
        "quantize.imatrix.entries_count": len(importance.sums),
        "quantize.imatrix.chunks_count": importance.n_chunks,
    }
    made = (lib.llama_model_kv_override * (len(texts) + len(counts) + 1))()
    for entry, (key, value) in zip(made, {**texts, **counts}.items(), strict=False):
        entry.key = key.encode()
        if isinstance(value, str):
            entry.tag, entry.value.val_str = TAG_STR, value.encode()[:KEY_BYTES]
        else:
            entry.tag, entry.value.val_i64 = TAG_INT, value
    return made


def _call(source: Path, target: Path, params: Any) -> int:
    return int(
        lib.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params))
    )


def _in_thread(work: Callable[[], int], hear: Callable[[int, str], None]) -> int:
    """Run C code that cannot be interrupted where Ctrl-C can still end the program."""
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(work()), daemon=True)
    listen(hear)
    try:
        thread.start()
        while thread.is_alive():
            thread.join(WAIT_S)
    finally:
        listen(lambda level, text: None)
    return codes[0] if codes else -1


@dataclass(slots=True)
class _Log:
    """What llama.cpp says while it works."""

    progress: Progress
    fallbacks: int = 0
    _errors: list[str] = field(default_factory=list)

    def hear(self, level: int, text: str) -> None:
        if level == ERROR and text.strip():
            self._errors.append(text.strip())
        if fallen := FALLEN.search(text):
            self.fallbacks = int(fallen.group(1))
        if step := STEP.search(text):
            done, total = (int(number) for number in step.groups())
            self.progress("quantize", done, total)

    def reason(self, code: int) -> str:
        """The last thing it complained of."""
        if not self._errors:
            return f"llama.cpp gave code {code} and no reason."
        return self._errors[-1].rsplit("failed to quantize: ", 1)[-1].rstrip(".") + "."
