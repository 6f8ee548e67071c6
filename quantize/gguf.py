"""Quantises a GGUF with llama.cpp's own quantiser."""

from __future__ import annotations

import ctypes
import tempfile
from pathlib import Path

import llama_cpp

from edge_agent.errors import BadModelFile, RequestError

PREFIX = "LLAMA_FTYPE_MOSTLY_"


def file_types() -> dict[str, int]:
    """Names such as Q4_K_M and their numbers in this build of llama.cpp."""
    names = (name for name in dir(llama_cpp) if name.startswith(PREFIX))
    return {name.removeprefix(PREFIX): int(getattr(llama_cpp, name)) for name in names}


def quantize_gguf(source: Path, target: Path, file_type: str, threads: int = 0) -> None:
    """Write `source` to `target` as `file_type`; `target` appears in one step when it is whole.

    threads 0 takes all cores. A model that is quantised already loses quality a second time.
    Raises RequestError for an unknown type, BadModelFile for a file llama.cpp does not accept.
    """
    known = file_types()
    if file_type not in known:
        raise RequestError(f"{file_type} is no type: choose one of {', '.join(sorted(known))}.")
    if not _is_gguf(source):
        raise BadModelFile(f"{source} is not a GGUF file.")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".gguf-") as folder:
        made = Path(folder) / target.name
        _quantize(source, made, known[file_type], threads)
        made.replace(target)


def _is_gguf(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"GGUF"


def _quantize(source: Path, target: Path, file_type: int, threads: int) -> None:
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = file_type
    params.nthread = threads
    params.allow_requantize = True
    code = llama_cpp.llama_model_quantize(
        str(source).encode(), str(target).encode(), ctypes.byref(params)
    )
    if code != 0 or not target.exists():
        raise BadModelFile(f"{source} could not be quantised (llama.cpp code {code}); is it cut?")
