from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader

from benchmarks.gguf_to_hf import main
from quantize.convert.convert import convert
from tests.quantize.checkpoints import LLAMA, QWEN2, QWEN3, write_byte_bpe, write_checkpoint


@pytest.mark.parametrize("config", [QWEN2, QWEN3, LLAMA], ids=lambda config: config["model_type"])
def test_there_and_back_is_the_same_model(config: dict[str, object], tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "c", config)
    write_byte_bpe(folder)
    first = convert(folder, tmp_path / "first.gguf", "f32").path
    main([str(first), str(tmp_path / "back")])
    second = convert(tmp_path / "back", tmp_path / "second.gguf", "f32").path
    one, two = (
        {t.name: np.array(t.data) for t in GGUFReader(path).tensors} for path in (first, second)
    )
    assert one.keys() == two.keys()
    for name, values in one.items():
        assert np.array_equal(values, two[name]), name
    for key in ("tokens", "token_type", "merges", "eos_token_id"):
        found = [
            GGUFReader(path).fields[f"tokenizer.ggml.{key}"].contents() for path in (first, second)
        ]
        assert found[0] == found[1]
