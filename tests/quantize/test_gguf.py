from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.catalog.gguf import read_gguf
from edge_agent.errors import BadModelFile, RequestError
from quantize.gguf import file_types, quantize_gguf


def test_a_real_model_comes_out_whole_and_of_another_type(
    smollm2_path: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.gguf"
    quantize_gguf(smollm2_path, target, "Q4_0", threads=2)
    before, after = read_gguf(smollm2_path), read_gguf(target)
    assert target.stat().st_size < smollm2_path.stat().st_size
    assert after.n_parameters == before.n_parameters
    assert after.metadata["general.file_type"] == file_types()["Q4_0"]
    assert [path.name for path in tmp_path.iterdir()] == ["out.gguf"]


def test_what_is_no_gguf_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    page = tmp_path / "page.gguf"
    page.write_text("<html>")
    with pytest.raises(BadModelFile, match="is not a GGUF"):
        quantize_gguf(page, tmp_path / "out.gguf", "Q4_0")
    page.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(BadModelFile, match="could not be quantised"):
        quantize_gguf(page, tmp_path / "out.gguf", "Q4_0")
    assert [path.name for path in tmp_path.iterdir()] == ["page.gguf"]


def test_an_unknown_type_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"Q9_Z is no type: choose one of .*Q4_K_M"):
        quantize_gguf(tmp_path / "in.gguf", tmp_path / "out.gguf", "Q9_Z")
