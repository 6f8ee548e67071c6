"""`merge A B ... OUT --method ...`: checkpoints become one."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from quantize.merge.merge import merge
from quantize.merge.recipe import SOURCES, Recipe, Rule
from quantize.progress import Line


def add_arguments(parser: ArgumentParser) -> None:
    """The command line."""
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL", help="checkpoints")
    parser.add_argument("target", type=Path, metavar="OUT", help="a folder that is not there yet")
    parser.add_argument("--method", required=True, help=", ".join(SOURCES))
    parser.add_argument("--weights", type=_numbers, help="one per model: .7,.3 (1 each by default)")
    parser.add_argument(
        "--weights-for",
        type=_rule,
        action="append",
        default=[],
        metavar="PATTERN=W,W",
        help="others for some tensors, such as 'model.layers.[0-9].*=.5,.5'; may be repeated",
    )
    parser.add_argument("--base", type=Path, help="what the models were tuned from")
    parser.add_argument("--density", type=float, help="share of each task vector that is kept")
    parser.add_argument("--scale", type=float, default=1.0, help="of the merged task vector")
    parser.add_argument("--seed", type=int, default=0, help="of dare's draws")


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} are no numbers, such as .7,.3") from None


def _rule(text: str) -> Rule:
    pattern, mark, numbers = text.rpartition("=")
    if not (mark and pattern):
        raise ArgumentTypeError(f"{text!r} is not PATTERN=W,W")
    return Rule(pattern, _numbers(numbers))


def run(given: Namespace) -> int:
    """Exit code 0. Raises any of errors.py."""
    equal = (1.0,) * len(given.models)
    recipe = Recipe(
        given.method,
        tuple(given.models),
        given.weights or equal,
        given.base,
        given.density,
        given.scale,
        given.seed,
        given.weights_for,
    )
    made = merge(recipe, given.target, Line(sys.stderr))
    print(
        f"{made.path}: {given.method} of {len(given.models)}, {made.n_tensors} tensors, "
        f"{made.n_bytes:,} bytes in {made.shards} files"
    )
    return 0
