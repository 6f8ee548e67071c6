from __future__ import annotations

import struct
from pathlib import Path

import pytest

from edge_agent.catalog.gguf import read_gguf
from edge_agent.errors import BadModelFile
from tests.catalog.tiny import gguf_bytes


def test_a_whole_file_tells_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(gguf_bytes(context=2048))
    header = read_gguf(path)
    assert (header.architecture, header.context_length, header.version) == ("llama", 2048, 3)
    assert header.n_tensors == 1
    assert header.n_parameters == 64
    assert header.end_offset == path.stat().st_size
    (tensor,) = header.tensors
    assert (tensor.name, tensor.shape, tensor.n_bytes) == ("token_embd.weight", (64,), 256)
    assert header.kv_bytes_per_token == 2 * 2 * (8 + 8) * 2


def test_short_arrays_of_numbers_are_kept_and_vocabularies_are_not(tmp_path: Path) -> None:
    key = b"llama.attention.head_count_kv"
    heads = struct.pack("<Q", len(key)) + key + struct.pack("<I", 4) + struct.pack("<I", 2)
    array = heads[:-8] + struct.pack("<IIQ3I", 9, 4, 3, 2, 0, 1)
    assert heads in gguf_bytes()
    path = tmp_path / "layers.gguf"
    path.write_bytes(gguf_bytes().replace(heads, array) + bytes(64))
    header = read_gguf(path)
    assert header.numbers("attention.head_count_kv") == (2, 0, 1)
    assert header.number("attention.head_count_kv") == 2
    assert header.numbers("attention.head_count") == (4,)
    assert header.numbers("no.such.key") == () and header.number("no.such.key") is None
    assert "tokenizer.ggml.tokens" not in header.metadata


def test_every_cut_is_seen_and_named(tmp_path: Path) -> None:
    whole = gguf_bytes()
    path = tmp_path / "cut.gguf"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(BadModelFile, match=r"cut\.gguf is cut"):
            read_gguf(path)


def test_another_file_is_not_a_gguf(tmp_path: Path) -> None:
    path = tmp_path / "page.gguf"
    path.write_text("<html>no such model</html>")
    with pytest.raises(BadModelFile, match="is not a GGUF file"):
        read_gguf(path)


def test_an_old_version_is_named(tmp_path: Path) -> None:
    path = tmp_path / "old.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<I", 1) + bytes(64))
    with pytest.raises(BadModelFile, match="version 1"):
        read_gguf(path)


def test_absurd_counts_are_damage_and_not_a_hang(tmp_path: Path) -> None:
    path = tmp_path / "wild.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 2**60, 2**60) + bytes(64))
    with pytest.raises(BadModelFile, match="is damaged"):
        read_gguf(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadModelFile, match=r"gone\.gguf cannot be read"):
        read_gguf(tmp_path / "gone.gguf")


def test_a_real_model_ends_where_its_header_says(smollm2_path: Path) -> None:
    header = read_gguf(smollm2_path)
    assert header.end_offset == smollm2_path.stat().st_size
    assert header.context_length == 8192
    assert header.n_parameters == 134_515_008
