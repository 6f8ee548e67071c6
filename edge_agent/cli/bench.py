"""`edge-agent bench`: measure this machine."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from edge_agent.bench.report import Report, Result, report_as_json
from edge_agent.bench.rig import Sizes
from edge_agent.bench.runner import chosen, run_bench
from edge_agent.cli.loading import fetch_model, plan_of
from edge_agent.cli.options import AsJson, Model, Threads
from edge_agent.cli.show import Bar
from edge_agent.cli.terminal import guarded, print_json, run_async, say, settings_of, stderr

Suites = Annotated[
    list[str] | None,
    typer.Option("--suite", help="decode, prefill, share, stall, cancel, turns; may be repeated."),
]
Rounds = Annotated[int, typer.Option("--rounds", min=1, help="Rounds that the medians are of.")]
MARKS = {True: "[green]met[/]", False: "[red]missed[/]", None: ""}


def bench(
    model: Model = None,
    suite: Suites = None,
    rounds: Rounds = 3,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Measure the engine on this machine: its speed, sharing, stalls and cancels.

    Compared with a bare loop over the same C API, in the same run. The exit status does not
    depend on the figures.
    """
    sizes = Sizes()
    settings = settings_of(model=model, threads=threads, ctx_size=sizes.n_ctx, parallel=sizes.many)
    suites = guarded(lambda: chosen(suite or []))
    with Bar(stderr()) as bar:
        choice, path = guarded(lambda: fetch_model(settings, say, bar))
    planned = guarded(lambda: plan_of(path, settings))
    say(f"Loading {path.name} twice: {planned.reason}.")
    report = run_async(lambda: run_bench(choice.name, planned.spec, suites, rounds, say, sizes))
    if as_json:
        print_json(report_as_json(report))
    else:
        _print(report, Console())


def _print(report: Report, console: Console) -> None:
    machine, model = report.machine, report.model
    console.print(
        f"{model['file']}, {model['n_threads']} threads, {machine['cores']} cores, "
        f"{machine['memory_bytes'] / (1 << 30):.0f} GiB, load {machine['load_average']} before",
        soft_wrap=True,
        highlight=False,
    )
    table = Table("suite", Column("case", no_wrap=True), "value", "unit", "target", "", box=None)
    for result in report.results:
        table.add_row(*_row(result))
    console.print(table)


def _row(result: Result) -> tuple[str, ...]:
    target = result.target
    asked = "" if target.value is None else f"{target.bound} {target.value:.4g}"
    value = f"{result.value:.4g}"
    return result.suite, result.case, value, target.unit, asked, MARKS[result.ok]
