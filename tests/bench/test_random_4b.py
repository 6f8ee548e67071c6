"""The model of random weights, in its small shape, loaded by llama.cpp."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from edge_agent.bench.baseline import Baseline
from edge_agent.catalog.gguf import read_gguf
from edge_agent.engine.params import LoadSpec

pytest.importorskip("gguf")
random_4b = pytest.importorskip("benchmarks.random_4b")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, smollm2_path: Path) -> Path:
    path = tmp_path_factory.mktemp("random") / "tiny.gguf"
    shape = ["--shape", "tiny", "--seed", "1"]
    random_4b.main([str(path), "--vocab-from", str(smollm2_path), *shape])
    return path


def test_llama_cpp_loads_it_and_what_it_writes_depends_on_the_prompt(tiny: Path) -> None:
    async def written() -> list[list[int]]:
        spec = LoadSpec(str(tiny), 256, n_batch=64, n_parallel=1, n_threads=1)
        async with aclosing(Baseline(spec)) as bare:
            return [await bare.write([first, 400, 500], 6) for first in (300, 300, 301)]

    once, again, other = asyncio.run(written())
    assert once == again != other
    assert all(0 <= id < 49152 for id in once)


def test_it_has_the_tokenizer_it_was_given_and_leaves_no_half_file(tiny: Path) -> None:
    header = read_gguf(tiny)
    assert header.architecture == "qwen3"
    assert header.number("block_count") == 4
    assert [path.name for path in tiny.parent.iterdir()] == ["tiny.gguf"]


def test_the_large_shape_is_that_of_qwen3_4b() -> None:
    weights = list(random_4b.weights(random_4b.SHAPES["4b"], 151_936))
    parameters = sum(int(random_4b.np.prod(weight.shape)) for weight in weights)
    assert parameters == 4_022_468_096
    more = [w for w in weights if w.type == random_4b.Q6_K and w.name.endswith("ffn_down.weight")]
    assert len(more) == 18
