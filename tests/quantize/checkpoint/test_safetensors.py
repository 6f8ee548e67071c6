from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors import safe_open
from safetensors.numpy import save_file

from edge_agent.errors import BadModelFile
from quantize.checkpoint.safetensors import (
    Bytes,
    from_floats,
    header_bytes,
    read_header,
    to_bf16,
    to_floats,
)


def joined(path: Path, name: str, rows: int = 2) -> Bytes:
    return np.concatenate([piece.copy() for piece in read_header(path)[0][name].rows(rows)])


def test_what_the_library_writes_is_read_piece_by_piece(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    made = {
        "half": np.arange(12, dtype=np.float16).reshape(3, 4),
        "full": np.linspace(-1, 1, 10, dtype=np.float32).reshape(5, 2),
    }
    save_file(made, str(path), {"format": "np"})
    tensors, metadata = read_header(path)
    assert metadata == {"format": "np"}
    for name, values in made.items():
        assert tensors[name].shape == values.shape
        found = to_floats(joined(path, name), tensors[name].kind)
        assert np.array_equal(found.reshape(values.shape), values)


def test_what_is_written_is_read_by_the_library(tmp_path: Path) -> None:
    path = tmp_path / "b.safetensors"
    values = np.linspace(-3, 3, 8, dtype=np.float32).reshape(2, 4)
    entries = [("w", "F32", values.shape), ("v", "BF16", (4,))]
    path.write_bytes(
        header_bytes(entries, {"format": "pt"})
        + values.tobytes()
        + from_floats(values[0], "BF16").tobytes()
    )
    with safe_open(str(path), framework="np") as file:
        assert np.array_equal(file.get_tensor("w"), values)
        assert file.get_slice("v").get_dtype() == "BF16"
        assert file.metadata() == {"format": "pt"}


@given(arrays(np.float32, 16, elements=st.floats(width=32, allow_nan=False)))
def test_bf16_is_the_nearest_and_even_when_two_are(values: np.ndarray) -> None:
    found = to_floats(to_bf16(values).view(np.uint8), "BF16")
    exact = values.astype(np.float64)
    below = to_floats((values.view(np.uint32) >> 16).astype("<u2").view(np.uint8), "BF16")
    above = to_floats(((values.view(np.uint32) >> 16) + 1).astype("<u2").view(np.uint8), "BF16")
    with np.errstate(all="ignore"):
        least = np.minimum(np.abs(exact - below), np.abs(exact - above))
        close = np.isinf(found) | np.isinf(above) | (np.abs(exact - found) == least)
    assert close.all()
    assert not np.isnan(found).any()


def test_nan_stays_nan_in_bf16() -> None:
    bits = np.array([0x7F800001, 0xFFFFFFFF, 0x7FC00000], np.uint32)
    assert np.isnan(to_floats(to_bf16(bits.view(np.float32)).view(np.uint8), "BF16")).all()


def test_a_cut_file_says_how_much_is_there(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    save_file({"w": np.zeros((100, 10), np.float32)}, str(path))
    whole = path.read_bytes()
    path.write_bytes(whole[:-500])
    with pytest.raises(BadModelFile, match=r"is cut: it has [\d,]+ of [\d,]+ bytes"):
        read_header(path)
    path.write_bytes(whole[:20])
    with pytest.raises(BadModelFile, match="ends inside its header"):
        read_header(path)


@pytest.mark.parametrize("content", [b"", b"<html>page</html>", b'\x05\0\0\0\0\0\0\0{"a":'])
def test_another_file_is_no_safetensors(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "d.safetensors"
    path.write_bytes(content)
    with pytest.raises(BadModelFile, match="not a safetensors file"):
        read_header(path)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]},
        {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]},
        {"shape": [1]},
        ["F32"],
    ],
)
def test_a_header_that_lies_is_refused(tmp_path: Path, entry: object) -> None:
    text = json.dumps({"w": entry}).encode()
    path = tmp_path / "e.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))
    with pytest.raises(BadModelFile):
        read_header(path)


def test_a_file_that_shrinks_while_it_is_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "f.safetensors"
    save_file({"w": np.zeros((100, 10), np.float32)}, str(path))
    stored = read_header(path)[0]["w"]
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BadModelFile, match="ends inside a tensor"):
        list(stored.rows(10))
