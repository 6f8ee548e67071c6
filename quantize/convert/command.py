"""`convert CHECKPOINT OUT.gguf`: a Hugging Face checkpoint becomes a GGUF."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from quantize.convert.convert import convert
from quantize.convert.plan import TYPES
from quantize.progress import Line


def add_arguments(parser: ArgumentParser) -> None:
    """The command line."""
    parser.add_argument("checkpoint", type=Path, help="a folder with config.json and safetensors")
    parser.add_argument("target", type=Path, metavar="OUT.gguf")
    parser.add_argument("--type", default="bf16", help=f"of the weights: {', '.join(TYPES)}")
    parser.add_argument(
        "--unproven",
        action="store_true",
        help="convert even where llama.cpp cuts text unlike the checkpoint's own tokenizer",
    )


def run(given: Namespace) -> int:
    """Exit code 0. Raises any of errors.py."""
    made = convert(given.checkpoint, given.target, given.type, Line(sys.stderr), not given.unproven)
    print(
        f"{made.path}: {made.arch}, {made.n_tensors} tensors, {made.n_weights:,} weights, "
        f"{made.n_bytes:,} bytes"
    )
    return 0
