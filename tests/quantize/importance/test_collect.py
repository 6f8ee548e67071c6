from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader
from llama_cpp._ggml import libggml

from edge_agent.errors import BadModelFile, RequestError
from quantize.context import Opening, opened
from quantize.importance.collect import Asked, collect
from quantize.importance.command import CALIBRATION
from quantize.importance.matrix import read_importance
from tests.quantize.checkpoints import LLAMA, weights

CHUNK, CHUNKS = 64, 3


@pytest.fixture(scope="module")
def collected(small_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("imatrix") / "small.imatrix.gguf"
    collect(Asked(small_gguf, CALIBRATION, target, CHUNK, CHUNKS))
    return target


def test_the_first_block_sees_what_the_weights_say(collected: Path, small_gguf: Path) -> None:
    """Independently: the squares of the normed embeddings of the tokens that were read."""
    with opened(Opening(small_gguf, CHUNK, 1)) as model:
        ids = model.tokens(CALIBRATION.read_text("utf-8"))[: CHUNK * CHUNKS]
    made = weights(LLAMA)
    rows = made["model.embed_tokens.weight"][ids].astype(np.float64)
    rows /= np.sqrt((rows**2).mean(axis=1, keepdims=True) + LLAMA["rms_norm_eps"])
    rows *= made["model.layers.0.input_layernorm.weight"]
    found = read_importance(collected)
    assert np.allclose(found.sums["blk.0.attn_q.weight"], (rows**2).sum(axis=0), rtol=0.02)
    assert found.counts["blk.0.attn_q.weight"] == [CHUNK * CHUNKS]


def test_every_weight_of_every_block_is_there_and_shares_its_inputs(collected: Path) -> None:
    found = read_importance(collected)
    assert len(found.sums) == 7 * LLAMA["num_hidden_layers"]
    for i in range(2):
        same = [found.sums[f"blk.{i}.attn_{name}.weight"] for name in "qkv"]
        assert np.array_equal(same[0], same[1])
        assert np.array_equal(same[0], same[2])
    assert (found.means["blk.1.ffn_down.weight"] > 0).all()


def test_the_file_has_the_keys_and_shapes_of_llama_imatrix(collected: Path) -> None:
    file = GGUFReader(collected)
    told = {key: field.contents() for key, field in file.fields.items() if "GGUF." not in key}
    assert told == {
        "general.type": "imatrix",
        "imatrix.datasets": ["calibration.txt"],
        "imatrix.chunk_count": CHUNKS,
        "imatrix.chunk_size": CHUNK,
    }
    shapes = {tensor.name: list(tensor.shape) for tensor in file.tensors}
    assert shapes["blk.0.ffn_down.weight.in_sum2"] == [160, 1]
    assert shapes["blk.0.ffn_down.weight.counts"] == [1, 1]


def test_a_text_that_is_too_short_or_none_is_said(small_gguf: Path, tmp_path: Path) -> None:
    text, target = tmp_path / "t.txt", tmp_path / "out.gguf"
    text.write_text("short")
    with pytest.raises(RequestError, match="give a longer text"):
        collect(Asked(small_gguf, text, target))
    text.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(RequestError, match="not UTF-8"):
        collect(Asked(small_gguf, text, target))
    with pytest.raises(RequestError, match="cannot be read"):
        collect(Asked(small_gguf, tmp_path / "gone.txt", target))
    assert not target.exists()


def test_another_file_is_no_importance_matrix(small_gguf: Path, tmp_path: Path) -> None:
    with pytest.raises(BadModelFile, match="no sums and counts"):
        read_importance(small_gguf)
    with pytest.raises(BadModelFile, match="does not exist"):
        read_importance(tmp_path / "gone.gguf")
    page = tmp_path / "page.gguf"
    page.write_text("<html>" * 10)
    with pytest.raises(BadModelFile, match="no importance matrix in GGUF"):
        read_importance(page)


class GgufInit(ctypes.Structure):
    """`struct gguf_init_params` of gguf.h."""

    _fields_ = (("no_alloc", ctypes.c_bool), ("ctx", ctypes.c_void_p))


def test_the_reader_of_llama_cpp_s_own_tools_takes_it(collected: Path) -> None:
    libggml.gguf_init_from_file.restype = ctypes.c_void_p
    libggml.gguf_init_from_file.argtypes = [ctypes.c_char_p, GgufInit]
    libggml.gguf_get_n_tensors.restype = ctypes.c_int64
    libggml.gguf_get_n_tensors.argtypes = [ctypes.c_void_p]
    libggml.gguf_find_key.restype = ctypes.c_int64
    libggml.gguf_find_key.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    libggml.gguf_get_val_u32.restype = ctypes.c_uint32
    libggml.gguf_get_val_u32.argtypes = [ctypes.c_void_p, ctypes.c_int64]
    file = libggml.gguf_init_from_file(str(collected).encode(), GgufInit(True, None))
    assert file
    assert libggml.gguf_get_n_tensors(file) == 2 * 14
    key = libggml.gguf_find_key(file, b"imatrix.chunk_count")
    assert libggml.gguf_get_val_u32(file, key) == CHUNKS
