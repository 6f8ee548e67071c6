"""The command line: serve, run, demo, pull, models, plan, bench, eval."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from edge_agent import __version__
from edge_agent.cli.bench import bench
from edge_agent.cli.eval import evaluate
from edge_agent.cli.models import models, pull
from edge_agent.cli.plan import plan
from edge_agent.cli.research import demo, run
from edge_agent.cli.serving import serve

# they log what their callers are told as errors, and what nobody can act on
CHATTY = ("trafilatura", "pypdf", "ddgs")

app = typer.Typer(
    help="An agent inference server for one device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (serve, run, demo, pull, models, plan, bench):
    app.command()(command)
app.command("eval")(evaluate)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"edge-agent {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """An agent inference server for one device."""
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
