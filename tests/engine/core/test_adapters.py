from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.engine.client import EngineClient
from edge_agent.engine.core.llama import Llama, Span
from edge_agent.engine.params import Adapter
from edge_agent.errors import ModelLoadError

from ..live import generate, spec_of
from ..lora import write_lora

PROMPT = [504, 2365, 282, 4649, 314]  # "The capital of France is"


def logits(model: Path, *adapters: Adapter) -> NDArray[np.float32]:
    llama = Llama(replace(spec_of(model, n_ctx=256), adapters=adapters), 4, 0, lambda line: None)
    try:
        _, (index,) = llama.decode([Span(0, 0, PROMPT, 1)])
        return llama.logits(index).copy()
    finally:
        llama.close()


@pytest.fixture(scope="module")
def lora(smollm2_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lora(tmp_path_factory.mktemp("lora") / "random.gguf", smollm2_path)


def test_the_scale_is_how_strongly_an_adapter_speaks(smollm2_path: Path, lora: Path) -> None:
    plain = logits(smollm2_path)
    silent = logits(smollm2_path, Adapter(str(lora), 0.0))
    half = logits(smollm2_path, Adapter(str(lora), 0.01))
    loud = logits(smollm2_path, Adapter(str(lora), 1.0))
    assert silent == pytest.approx(plain, abs=1e-4)
    assert 0.01 < np.abs(half - plain).max() < np.abs(loud - plain).max()


def test_adapters_add_up(smollm2_path: Path, lora: Path, tmp_path: Path) -> None:
    negative = Adapter(str(lora), -1.0)
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(lora.read_bytes())
    both = logits(smollm2_path, negative, Adapter(str(copy), 1.0))
    assert both == pytest.approx(logits(smollm2_path), abs=0.05)


async def test_an_engine_generates_with_its_adapters(smollm2_path: Path, lora: Path) -> None:
    async def ids(*adapters: Adapter) -> list[int]:
        spec = replace(spec_of(smollm2_path, n_ctx=256), adapters=adapters)
        engine = EngineClient(spec, lambda line: None)
        try:
            await engine.start()
            return (await generate(engine, PROMPT, 12))[0]
        finally:
            await engine.close()

    plain = await ids()
    assert await ids(Adapter(str(lora), 0.0)) == plain
    assert await ids(Adapter(str(lora), 1.0)) != plain


def test_what_is_no_adapter_of_this_model_is_refused(smollm2_path: Path, tmp_path: Path) -> None:
    wrong = {
        "arch mismatch": write_lora(tmp_path / "a.gguf", smollm2_path, architecture="qwen2"),
        "incorrect shape": write_lora(tmp_path / "b.gguf", smollm2_path, width=64),
        "general.type": write_lora(tmp_path / "c.gguf", smollm2_path, kind="model"),
        "failed to load": Path(__file__),
    }
    for said, path in wrong.items():
        with pytest.raises(ModelLoadError, match=said) as error:
            logits(smollm2_path, Adapter(str(path)))
        assert str(path) in str(error.value) and "same model" in str(error.value)
