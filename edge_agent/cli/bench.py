"""`edge-agent bench`: measure this machine."""

from __future__ import annotations

import signal
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from edge_agent.bench.report import Report, Result, report_as_json
from edge_agent.bench.runner import Wanted, chosen, run_bench
from edge_agent.bench.sizes import QUICK, Sizes
from edge_agent.cli.engine_options import KvTypeName
from edge_agent.cli.loading import fetch_model, plan_of
from edge_agent.cli.options import AsJson, CtxSize, Model, Threads
from edge_agent.cli.show import Bar
from edge_agent.cli.terminal import guarded, print_json, run_async, say, settings_of, stderr
from edge_agent.config import Settings

Suites = Annotated[
    list[str] | None,
    typer.Option("--suite", help="One suite, such as decode or stall; may be repeated."),
]
Contenders = Annotated[
    list[str] | None,
    typer.Option(
        "--contender", help="engine, HTTP, xllamacpp or llama_cpp.server; may be repeated."
    ),
]
Rounds = Annotated[int, typer.Option("--rounds", min=1, help="Rounds that the figures are of.")]
Quick = Annotated[
    bool, typer.Option("--quick", help="Small sizes: whether it works, not how fast it is.")
]
PeerPython = Annotated[
    str,
    typer.Option(
        "--peer-python", help="The Python that has xllamacpp or llama-cpp-python[server]."
    ),
]
LEAST_WIDTH = 120
MARKS = {True: "[green]met[/]", False: "[red]missed[/]", None: ""}


def bench(
    model: Model = None,
    suite: Suites = None,
    contender: Contenders = None,
    rounds: Rounds = 3,
    threads: Threads = None,
    ctx_size: CtxSize = None,
    kv_type: KvTypeName = None,
    quick: Quick = False,
    peer_python: PeerPython = "",
    as_json: AsJson = False,
) -> None:
    """Measure the engine and the server on this machine, against a bare loop and their peers.

    Every figure is a ratio within the same run or a count. The exit status does not depend on the
    figures.
    """
    sizes = QUICK if quick else Sizes()
    settings = settings_of(
        model=model,
        threads=threads,
        ctx_size=ctx_size or sizes.n_ctx,
        parallel=sizes.many,
        kv_type=kv_type,
    )
    wanted = Wanted(
        guarded(lambda: chosen(suite or [])), contender or [], rounds, sizes, peer_python
    )
    # ended from outside, it still ends the servers that it started
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    report = _measure(settings, wanted)
    if as_json:
        print_json(report_as_json(report))
    else:
        console = Console()
        _print(report, Console(width=max(console.width, LEAST_WIDTH)))


def _measure(settings: Settings, wanted: Wanted) -> Report:
    with Bar(stderr()) as bar:
        choice, path = guarded(lambda: fetch_model(settings, say, bar))
    planned = guarded(lambda: plan_of(path, settings))
    say(f"Loading {path.name} twice: {planned.reason}.")
    return run_async(lambda: run_bench(choice.name, planned.spec, wanted, say))


def _print(report: Report, console: Console) -> None:
    machine, model = report.machine, report.model
    console.print(
        f"{model['file']}, {model['n_threads']} threads, {machine['processor']}, "
        f"{machine['cores']} cores, {machine['memory_bytes'] / (1 << 30):.0f} GiB, "
        f"load {machine['load_average']} before",
        soft_wrap=True,
        highlight=False,
    )
    columns = (Column(name, no_wrap=True) for name in ("suite", "case", "value", "target", ""))
    table = Table(*columns, box=None)
    for result in report.results:
        table.add_row(*_row(result))
    console.print(table)


def _row(result: Result) -> tuple[str, ...]:
    target = result.target
    asked = "" if target.value is None else f"{target.bound} {target.value:.4g}"
    value = "lacking" if result.value is None else f"{result.value:.4g} {target.unit}"
    return result.suite, result.case, value, asked, MARKS[result.ok]
