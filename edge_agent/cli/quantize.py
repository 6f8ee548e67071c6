"""`edge-agent quantize NAME ...`: the same as `python -m quantize NAME ...`."""

from __future__ import annotations

import signal
import subprocess
import sys

import typer

from edge_agent.cli.terminal import INTERRUPTED

HELP = "Convert, merge, quantise and compare models; `edge-agent quantize -h` lists what there is."
# every word goes on as it is, -h among them
PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def quantize(context: typer.Context) -> None:
    """Run it in a process of its own: its libraries and its memory are needed by nothing else."""
    child = subprocess.Popen([sys.executable, "-m", "quantize", *context.args])
    before = signal.signal(signal.SIGTERM, lambda number, frame: child.terminate())
    try:
        raise typer.Exit(child.wait())
    except KeyboardInterrupt:  # the child has it too, and clears up
        child.wait()
        raise typer.Exit(INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGTERM, before)
