"""`onnx IN OUT`: int8 weights for an ONNX model."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from quantize.onnx_int8 import quantize_int8


def add_arguments(parser: ArgumentParser) -> None:
    """The command line."""
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)


def run(given: Namespace) -> int:
    """Exit code 0. Raises BadModelFile."""
    quantize_int8(given.source, given.target)
    return 0
