"""The model file's pages: what llama.cpp has copied need not be resident twice."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

MAPS = Path("/proc/self/maps")
MADV_DONTNEED = 4  # linux/mman.h; a mapped file's page is read again when it is touched again


def give_back(path: str) -> int:
    """Let go of the mapped pages of a file; returns their bytes, 0 where that cannot be done.

    llama.cpp maps the file and then repacks most matrices into memory of its own. The originals
    are not touched again, but stay with the process until memory is short: half of a model twice.
    """
    released = 0
    for start, size in _mapped(os.path.realpath(path)):
        if ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), MADV_DONTNEED):
            break
        released += size
    return released


def _mapped(path: str) -> Iterator[tuple[int, int]]:
    """Address and length of each stretch of the file in this process."""
    if not MAPS.exists():  # not Linux
        return
    for line in MAPS.read_text().splitlines():
        span, _, rest = line.partition(" ")
        if rest.endswith(f" {path}"):
            start, end = (int(address, 16) for address in span.split("-"))
            yield start, end - start
