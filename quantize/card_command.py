"""`card MODEL.gguf [OUT.toml]`: a card for the list of models."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from quantize.card import card_text, write_card
from quantize.progress import Line


def add_arguments(parser: ArgumentParser) -> None:
    """The command line."""
    parser.add_argument("model", type=Path, metavar="MODEL.gguf")
    parser.add_argument("target", type=Path, nargs="?", metavar="OUT.toml", help="else printed")


def run(given: Namespace) -> int:
    """Exit code 0. Raises any of errors.py."""
    line = Line(sys.stderr)
    if given.target is None:
        print(card_text(given.model, line), end="")
    else:
        write_card(given.model, given.target, line)
        print(given.target)
    return 0
