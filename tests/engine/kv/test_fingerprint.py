"""A model file is known by samples of it, and a cache key by all that changes the cells."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_agent.engine.kv.fingerprint import BLOCK_BYTES, N_BLOCKS, fingerprint, model_key
from edge_agent.engine.params import Adapter, LoadSpec
from edge_agent.errors import ModelLoadError

LARGE = 3 * N_BLOCKS * BLOCK_BYTES


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(np.random.default_rng(1).bytes(300_000))
    return path


def spec_of(path: Path) -> LoadSpec:
    return LoadSpec(path=str(path), n_ctx=512, n_batch=64, n_parallel=2, n_threads=1)


def flip(path: Path, place: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1]))


def test_the_same_bytes_under_another_name_are_the_same_model(tmp_path: Path, model: Path) -> None:
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(model.read_bytes())
    assert fingerprint(copy) == fingerprint(model)


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES, BLOCK_BYTES + 1, N_BLOCKS * BLOCK_BYTES])
def test_a_small_file_is_seen_whole(tmp_path: Path, size: int) -> None:
    path = tmp_path / "small"
    path.write_bytes(bytes(size))
    before = fingerprint(path)
    for place in {0, size // 3, size // 2, size - 1} if size else set():
        flip(path, place)
        assert fingerprint(path) != before, place
        flip(path, place)
    path.write_bytes(bytes(size + 1))
    assert fingerprint(path) != before


def test_the_first_and_the_last_byte_of_a_large_file_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(LARGE))
    before = fingerprint(path)
    for place in (0, LARGE - 1):
        flip(path, place)
        assert fingerprint(path) != before
        flip(path, place)
    assert fingerprint(path) == before


def test_no_stretch_of_a_large_file_longer_than_its_share_is_unseen(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(LARGE))
    before = fingerprint(path)
    stretch = LARGE // N_BLOCKS
    for start in range(0, LARGE - stretch, LARGE // 7):
        with path.open("r+b") as file:
            file.seek(start)
            file.write(b"\1" * stretch)
        assert fingerprint(path) != before, start
        path.write_bytes(bytes(LARGE))


def test_a_large_file_takes_milliseconds(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(8 << 30)
    start = time.process_time()
    fingerprint(path)
    assert time.process_time() - start < 0.5  # hashing all of it takes five


def test_a_file_that_cannot_be_read_is_a_load_error(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="cannot be read"):
        fingerprint(tmp_path / "absent.gguf")


def test_what_changes_the_cells_changes_the_key(tmp_path: Path, model: Path) -> None:
    adapter, other = tmp_path / "lora.gguf", tmp_path / "other.gguf"
    adapter.write_bytes(b"one adapter")
    other.write_bytes(model.read_bytes()[::-1])
    spec = spec_of(model)
    specs = [
        spec,
        replace(spec, path=str(other)),
        replace(spec, kv_type="q8_0"),
        replace(spec, n_gpu_layers=-1),
        replace(spec, use_extra_bufts=False),
        replace(spec, adapters=(Adapter(str(adapter)),)),
        replace(spec, adapters=(Adapter(str(adapter), 0.5),)),
        replace(spec, adapters=(Adapter(str(other)),)),
    ]
    keys = [model_key(s, "b1") for s in specs] + [model_key(spec, "b2")]
    assert len(set(keys)) == len(keys)


def test_what_leaves_the_cells_alone_leaves_the_key(tmp_path: Path, model: Path) -> None:
    spec = spec_of(model)
    moved = tmp_path / "elsewhere.gguf"
    moved.write_bytes(model.read_bytes())
    same = replace(
        spec, path=str(moved), n_ctx=4096, n_batch=512, n_parallel=4, n_threads=8, cache_bytes=0
    )
    assert model_key(same, "b1") == model_key(spec, "b1")


def test_a_real_model_has_one(smollm2_path: Path) -> None:
    assert len(fingerprint(smollm2_path)) == 64
