"""`python -m quantize onnx IN OUT` and `python -m quantize gguf IN OUT --type Q4_K_M`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from edge_agent.errors import EdgeAgentError
from quantize.gguf import quantize_gguf
from quantize.onnx_int8 import quantize_int8


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="quantize", description="Make a model smaller.")
    kinds = top.add_subparsers(dest="kind", required=True)
    onnx = kinds.add_parser("onnx", help="int8 weights for an ONNX model")
    gguf = kinds.add_parser("gguf", help="a quantised GGUF")
    for kind in (onnx, gguf):
        kind.add_argument("source", type=Path)
        kind.add_argument("target", type=Path)
    gguf.add_argument("--type", default="Q4_K_M", help="such as Q4_K_M, Q8_0, F16")
    gguf.add_argument("--threads", type=int, default=0, help="0 takes all cores")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0, or 1 with one sentence on stderr."""
    given = parser().parse_args(arguments)
    try:
        if given.kind == "onnx":
            quantize_int8(given.source, given.target)
        else:
            quantize_gguf(given.source, given.target, given.type, given.threads)
    except EdgeAgentError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
