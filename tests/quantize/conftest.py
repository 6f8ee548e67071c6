"""Small models of this room, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantize.convert.convert import convert
from tests.quantize.checkpoints import LLAMA, QWEN2, QWEN3, write_byte_bpe, write_checkpoint

CONFIGS = {"qwen3": QWEN3, "qwen2": QWEN2, "llama": LLAMA}


@pytest.fixture(scope="session", params=CONFIGS)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of each family, in two shards."""
    folder = tmp_path_factory.mktemp("checkpoint") / request.param
    write_checkpoint(folder, CONFIGS[request.param], shards=2)
    write_byte_bpe(folder)
    return folder


@pytest.fixture(scope="session")
def llama_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "small-llama", LLAMA)
    write_byte_bpe(folder)
    return folder


@pytest.fixture(scope="session")
def small_gguf(llama_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a GGUF in bf16."""
    return convert(llama_checkpoint, tmp_path_factory.mktemp("gguf") / "small.gguf").path
