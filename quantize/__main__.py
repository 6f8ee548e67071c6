"""`python -m quantize NAME ...`, which is also `edge-agent quantize NAME ...`."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from edge_agent.errors import EdgeAgentError

# Only the room that is asked for is loaded: each has heavy libraries of its own.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "convert": ("quantize.convert.command", "a Hugging Face checkpoint to a GGUF"),
    "merge": ("quantize.merge.command", "several checkpoints to one"),
    "imatrix": ("quantize.importance.command", "which weights matter, for better small types"),
    "quantize": ("quantize.gguf_command", "a GGUF to a smaller one"),
    "compare": ("quantize.compare.command", "what a smaller GGUF lost"),
    "card": ("quantize.card_command", "a GGUF's card for the list of models"),
    "gguf": ("quantize.gguf_command", "the same as quantize"),
    "onnx": ("quantize.onnx_command", "int8 weights for an ONNX model"),
}
PROGRAM = "quantize"
WRONG_USAGE, INTERRUPTED = 2, 130
EXTRA = "pip install 'edge-agent[quantize]'"


def usage() -> str:
    """What the program can do, one line each."""
    lines = (f"  {name:9} {text}" for name, (_, text) in COMMANDS.items())
    return f"usage: {PROGRAM} NAME ... (NAME -h tells more)\n\n" + "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0; 1 with one sentence on stderr, or where a comparison failed; 2 for a wrong
    command line; 130 when interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] in (["-h"], ["--help"]):
        print(usage())
        return 0
    if not given or given[0] not in COMMANDS:
        print(usage(), file=sys.stderr)
        return WRONG_USAGE
    try:
        return _run(given[0], given[1:])
    except EdgeAgentError as error:
        print(error, file=sys.stderr)
    except ModuleNotFoundError as error:
        print(f"{error.name} is not installed: run `{EXTRA}`.", file=sys.stderr)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 1


def _run(name: str, rest: Sequence[str]) -> int:
    module, text = COMMANDS[name]
    room: Any = importlib.import_module(module)
    parser = argparse.ArgumentParser(prog=f"{PROGRAM} {name}", description=f"{text}.".capitalize())
    room.add_arguments(parser)
    return int(room.run(parser.parse_args(rest)))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it clears up then, too
    code = main()
    if code == INTERRUPTED:
        os._exit(code)  # llama.cpp may still be at work in a thread that nothing else can end
    sys.exit(code)
