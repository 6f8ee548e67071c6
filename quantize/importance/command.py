"""`imatrix MODEL.gguf OUT.gguf`: which weights matter, seen on a text."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from quantize.importance.collect import CHUNK_TOKENS, Asked, collect
from quantize.progress import Line
from quantize.threads import usual_threads

# agent trajectories in several languages, written for this project
CALIBRATION = Path(__file__).with_name("calibration.txt")


def add_arguments(parser: ArgumentParser) -> None:
    """The command line."""
    parser.add_argument("model", type=Path, metavar="MODEL.gguf")
    parser.add_argument("target", type=Path, metavar="OUT.gguf")
    parser.add_argument(
        "--text", type=Path, default=CALIBRATION, help="UTF-8; agent trajectories by default"
    )
    parser.add_argument("--chunk", type=int, default=CHUNK_TOKENS, help="tokens of one pass")
    parser.add_argument("--chunks", type=int, default=0, help="at most so many; 0 for all")
    parser.add_argument("--threads", type=int, default=usual_threads())


def run(given: Namespace) -> int:
    """Exit code 0. Raises any of errors.py."""
    asked = Asked(given.model, given.text, given.target, given.chunk, given.chunks, given.threads)
    made = collect(asked, Line(sys.stderr))
    print(f"{made.path}: {len(made.sums)} weights, {made.n_chunks} chunks of {given.chunk} tokens")
    return 0
