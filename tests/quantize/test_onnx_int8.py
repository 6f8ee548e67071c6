from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge_agent.errors import BadModelFile
from quantize.onnx_int8 import quantize_int8

WORDS, WIDTH = 500, 64


def write_model(path: Path) -> None:
    """Rows of a table, times a matrix; the weights lie in a second file, as large models' do."""
    rng = np.random.default_rng(1)
    weights = [
        numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name)
        for name, shape in (("table", (WORDS, WIDTH)), ("matrix", (WIDTH, WIDTH)))
    ]
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "ids"], ["rows"], name="gather"),
            helper.make_node("MatMul", ["rows", "matrix"], ["out"], name="matmul"),
        ],
        "tiny",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", WIDTH])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path), save_as_external_data=True, location=f"{path.name}_data")


def rows(path: Path) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found: NDArray[np.float32] = session.run(None, {"ids": np.arange(WORDS)})[0]
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_a_quarter_of_the_size_and_the_same_directions(tmp_path: Path) -> None:
    source, target = tmp_path / "model.onnx", tmp_path / "out" / "small.onnx"
    target.parent.mkdir()
    write_model(source)
    quantize_int8(source, target)
    whole = source.stat().st_size + (tmp_path / "model.onnx_data").stat().st_size
    assert target.stat().st_size < 0.4 * whole
    assert float((rows(source) * rows(target)).sum(axis=1).mean()) > 0.98
    assert [path.name for path in target.parent.iterdir()] == ["small.onnx"]


def test_missing_external_data_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    source, target = tmp_path / "model.onnx", tmp_path / "small.onnx"
    write_model(source)
    (tmp_path / "model.onnx_data").unlink()
    with pytest.raises(BadModelFile, match=r"model\.onnx cannot be quantised"):
        quantize_int8(source, target)
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_a_missing_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadModelFile, match=r"gone\.onnx is not a file"):
        quantize_int8(tmp_path / "gone.onnx", tmp_path / "small.onnx")
