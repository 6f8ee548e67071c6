"""The command line: every command of the program, and nothing of what they do."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from edge_agent import __version__
from edge_agent.cli.bench import bench
from edge_agent.cli.doctor import doctor
from edge_agent.cli.eval import evaluate
from edge_agent.cli.fetch import fetch
from edge_agent.cli.library import library_app
from edge_agent.cli.mcp import mcp
from edge_agent.cli.models import import_, models, pull, rm, verify
from edge_agent.cli.plan import plan
from edge_agent.cli.quantize import HELP as QUANTIZE_HELP
from edge_agent.cli.quantize import PASSED_ON, quantize
from edge_agent.cli.research import demo, run
from edge_agent.cli.search import search
from edge_agent.cli.serving import serve

# they log what their callers are told as errors, and what nobody can act on
CHATTY = ("trafilatura", "pypdf", "ddgs")

app = typer.Typer(
    help="An agent inference server for one device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (serve, run, demo, search, fetch, pull, models, plan, bench, doctor, mcp):
    app.command()(command)
app.command("eval")(evaluate)
app.command("import")(import_)
app.command()(verify)
app.command()(rm)
app.add_typer(library_app, name="library")
app.command("quantize", context_settings=PASSED_ON, help=QUANTIZE_HELP)(quantize)


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
