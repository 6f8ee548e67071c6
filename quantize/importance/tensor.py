"""`struct ggml_tensor` of ggml.h, as far as an evaluation callback reads it.

The layout is that of the llama.cpp inside the pinned llama-cpp-python; `check` tells when it moved.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from llama_cpp._ggml import libggml

from edge_agent.errors import NotSupported
from quantize.checkpoint.safetensors import Floats

MAX_OPS = 200
DIMS, SOURCES, NAME_BYTES, OP_INTS = 4, 10, 64, 16
F32 = 0  # enum ggml_type


class Tensor(ctypes.Structure):
    """See ggml.h. ne: elements, nb: bytes between them, per dimension, the row's own first."""


Tensor._fields_ = [
    ("type", ctypes.c_int),
    ("buffer", ctypes.c_void_p),
    ("ne", ctypes.c_int64 * DIMS),
    ("nb", ctypes.c_size_t * DIMS),
    ("op", ctypes.c_int),
    ("op_params", ctypes.c_int32 * OP_INTS),
    ("flags", ctypes.c_int32),
    ("src", ctypes.POINTER(Tensor) * SOURCES),
    ("view_src", ctypes.c_void_p),
    ("view_offs", ctypes.c_size_t),
    ("data", ctypes.c_void_p),
    ("name", ctypes.c_char * NAME_BYTES),
    ("extra", ctypes.c_void_p),
    ("padding", ctypes.c_char * 8),
]

libggml.ggml_op_name.restype = ctypes.c_char_p
libggml.ggml_op_name.argtypes = [ctypes.c_int]
libggml.ggml_nbytes.restype = ctypes.c_size_t
libggml.ggml_nbytes.argtypes = [ctypes.c_void_p]
libggml.ggml_tensor_overhead.restype = ctypes.c_size_t
libggml.ggml_backend_tensor_get.restype = None
libggml.ggml_backend_tensor_get.argtypes = [
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_size_t,
]


def tensor_at(address: int) -> Any:
    """The tensor that lies at `address`."""
    return ctypes.cast(address, ctypes.POINTER(Tensor)).contents


def product_number() -> int:
    """The number of the operation that multiplies matrices. Raises NotSupported where the library
    is not the one this layout belongs to."""
    for number in range(MAX_OPS):
        if libggml.ggml_op_name(number) == b"MUL_MAT":
            return number
    raise NotSupported("The installed llama.cpp has no MUL_MAT: imatrix needs the pinned one.")


def rows_of(tensor: Any) -> Floats:
    """The floats of a tensor of type F32, shape (rows, elements of a row), from any memory."""
    address = ctypes.addressof(tensor)
    raw = np.empty(int(libggml.ggml_nbytes(address)), np.uint8)
    libggml.ggml_backend_tensor_get(address, raw.ctypes.data, 0, raw.size)
    shape, strides = tuple(reversed(tensor.ne)), tuple(reversed(tensor.nb))
    view: Floats = np.ndarray(shape, np.float32, raw.data, 0, strides)
    return view.reshape(-1, shape[-1])


def weight_name(tensor: Any) -> str:
    """A weight's name without what a backend puts around it: `CUDA0#blk.0.attn_k.weight#0`."""
    name = tensor.name.decode(errors="replace")
    parts = name.split("#")
    return str(parts[1] if len(parts) > 1 else name)
