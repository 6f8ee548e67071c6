"""Asks llama.cpp which accelerators it sees; `python -m edge_agent.engine.fit.gpus` prints them."""

from __future__ import annotations

import ctypes
import json
import sys
from dataclasses import asdict, dataclass

from llama_cpp import _ggml
from llama_cpp import llama_cpp as lib

GPU, IGPU = 1, 2  # enum ggml_backend_dev_type in ggml-backend.h
UNIFIED = ("MTL", "Metal")  # how the devices are called whose memory is the machine's


@dataclass(frozen=True, slots=True)
class Device:
    """See `machine.Gpu`."""

    name: str
    free_bytes: int
    total_bytes: int
    unified: bool


def offloads() -> bool:
    """Whether this build of llama.cpp can use an accelerator at all."""
    return bool(lib.llama_supports_gpu_offload())


def devices() -> list[Device]:
    """Every GPU of llama.cpp's registry; integrated ones only where there is no other."""
    ggml = _bound()
    found = [(ggml.ggml_backend_dev_type(h), h) for h in _handles(ggml)]
    kind = GPU if any(kind == GPU for kind, _ in found) else IGPU
    return [_device(ggml, handle, kind) for k, handle in found if k == kind]


def _bound() -> ctypes.CDLL:
    """ggml's device functions, which llama-cpp-python loads and does not bind."""
    ggml = ctypes.CDLL(_ggml.libggml._name)
    size = ctypes.POINTER(ctypes.c_size_t)
    ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
    ggml.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
    ggml.ggml_backend_dev_get.restype = ctypes.c_void_p
    ggml.ggml_backend_dev_type.argtypes = [ctypes.c_void_p]
    ggml.ggml_backend_dev_memory.argtypes = [ctypes.c_void_p, size, size]
    ggml.ggml_backend_dev_memory.restype = None
    for text in (ggml.ggml_backend_dev_name, ggml.ggml_backend_dev_description):
        text.argtypes, text.restype = [ctypes.c_void_p], ctypes.c_char_p
    return ggml


def _handles(ggml: ctypes.CDLL) -> list[int]:
    return [ggml.ggml_backend_dev_get(i) for i in range(ggml.ggml_backend_dev_count())]


def _device(ggml: ctypes.CDLL, handle: int, kind: int) -> Device:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    ggml.ggml_backend_dev_memory(handle, ctypes.byref(free), ctypes.byref(total))
    name = ggml.ggml_backend_dev_name(handle).decode(errors="replace")
    told = ggml.ggml_backend_dev_description(handle).decode(errors="replace")
    unified = kind == IGPU or name.startswith(UNIFIED)
    return Device(f"{name} ({told})", free.value, total.value, unified)


if __name__ == "__main__":
    json.dump([asdict(device) for device in devices()], sys.stdout)
