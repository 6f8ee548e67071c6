"""`quantize IN.gguf OUT.gguf --type Q4_K_M`: a GGUF becomes smaller."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from quantize.gguf import USUAL, Asked, Override, quantize_gguf
from quantize.importance.matrix import read_importance
from quantize.progress import Line


def add_arguments(parser: ArgumentParser) -> None:
    """The command line."""
    parser.add_argument("source", type=Path, metavar="IN.gguf")
    parser.add_argument("target", type=Path, metavar="OUT.gguf")
    parser.add_argument("--type", default="Q4_K_M", help=f"usual: {', '.join(USUAL)}")
    parser.add_argument("--imatrix", type=Path, metavar="FILE", help="what `imatrix` wrote")
    parser.add_argument(
        "--tensor-type",
        type=_override,
        action="append",
        default=[],
        metavar="PATTERN=TYPE",
        help="another type for tensors whose name the regular expression finds; may be repeated",
    )
    parser.add_argument("--threads", type=int, default=0, help="0 takes all cores")


def _override(text: str) -> Override:
    pattern, mark, kind = text.rpartition("=")
    if not (mark and pattern and kind):
        raise ArgumentTypeError(f"{text!r} is not PATTERN=TYPE, such as ffn_down=Q6_K")
    return Override(pattern, kind.upper())


def run(given: Namespace) -> int:
    """Exit code 0. Raises any of errors.py."""
    importance = read_importance(given.imatrix) if given.imatrix else None
    asked = Asked(given.type.upper(), given.threads, importance, given.tensor_type)
    made = quantize_gguf(given.source, given.target, asked, Line(sys.stderr))
    share = made.bytes_after / made.bytes_before
    print(f"{made.path}: {made.bytes_after:,} bytes, {share:.0%} of {given.source.name}")
    if made.fallbacks:
        print(f"{made.fallbacks} tensors do not fit {asked.type} and got a larger type.")
    if made.requantized:
        print(f"{given.source.name} was quantised before: quantising the original loses less.")
    return 0
