"""Quantises an ONNX model's weights to int8, once, on the device that will use it."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from edge_agent.errors import BadModelFile

OPERATORS = ("MatMul", "Gather")


def quantize_int8(source: Path, target: Path) -> None:
    """Write `source` to `target` with int8 weights, per channel, in MatMul and Gather.

    Activations stay in float and are quantised as they come (dynamic quantisation). External data
    of `source` is read from beside it; `target` holds everything and appears in one step. Raises
    BadModelFile when `source` is not a complete ONNX model.
    """
    if not source.is_file():
        raise BadModelFile(f"{source} is not a file: name the model.onnx to quantise.")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".int8-") as folder:
        made = Path(folder) / target.name
        try:
            _quantize(source, made)
        except Exception as error:  # onnx and onnxruntime raise a dozen unrelated classes
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise BadModelFile(f"{source} cannot be quantised: {reason}") from None
        made.replace(target)


def _quantize(source: Path, target: Path) -> None:
    logging.disable(logging.WARNING)  # advice about pre-processing, which brings nothing here
    try:
        quantize_dynamic(
            onnx.load(str(source)),  # given a path, it would leave a file of its own beside it
            target,
            op_types_to_quantize=list(OPERATORS),
            per_channel=True,
            weight_type=QuantType.QInt8,
        )
    finally:
        logging.disable(logging.NOTSET)
