"""`edge-agent doctor`: what works on this machine, what does not, and what to do about it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from types import MappingProxyType

import typer
from rich.console import Console
from rich.markup import escape

from edge_agent.catalog.catalog import Catalog
from edge_agent.catalog.installed import list_installed
from edge_agent.cli.engines import Engines, open_engines
from edge_agent.cli.loading import plan_of
from edge_agent.cli.options import AsJson, Model, SearchUrls
from edge_agent.cli.plan import installed_path
from edge_agent.cli.reach import reach_of
from edge_agent.cli.terminal import print_json, run_async, settings_of
from edge_agent.config import Settings
from edge_agent.doctor.accelerator import on_accelerator
from edge_agent.doctor.build import build_of, on_build
from edge_agent.doctor.finding import Finding, State
from edge_agent.doctor.models import on_computing, on_models, on_plan
from edge_agent.doctor.processor import on_processor
from edge_agent.doctor.room import on_folders, on_memory
from edge_agent.engine.fit.machine import Machine, total_bytes
from edge_agent.engine.fit.planner import Plan
from edge_agent.errors import EdgeAgentError, NotFound
from edge_agent.tools.base import SearchProvider

PROBE = "weather"  # every engine finds something
NO_ENGINE = "Name a SearXNG with --search, a library (`edge-agent library add`), or an API key."
MARKS: Mapping[State, str] = MappingProxyType(
    {"good": "[green]good[/]   ", "note": "[yellow]note[/]   ", "problem": "[red]problem[/]"}
)


def doctor(model: Model = None, search_url: SearchUrls = None, as_json: AsJson = False) -> None:
    """Look at this machine, llama.cpp, the models and the search engines, with a fix for each
    problem. Ends with status 1 when there is a problem."""
    settings = settings_of(model=model)
    findings = run_async(lambda: examined(settings, search_url or []))
    if as_json:
        print_json({"findings": [asdict(finding) for finding in findings]})
    else:
        _show(findings, Console())
    if any(finding.state == "problem" for finding in findings):
        raise typer.Exit(1)


async def examined(settings: Settings, search_urls: list[str]) -> list[Finding]:
    """Everything that can be found out."""
    machine = await asyncio.to_thread(Machine.here)
    found = [*await asyncio.to_thread(_on_hardware, machine)]
    found.append(on_memory(machine.available_bytes, total_bytes()))
    found += on_folders(
        {"models": settings.models_dir, "data": settings.data_dir, "cache": settings.cache_dir}
    )
    found += await _on_models(settings, machine)
    return [*found, *await _on_search(settings, search_urls)]


def _on_hardware(machine: Machine) -> Iterator[Finding]:
    build = build_of()
    if isinstance(build, Finding):
        yield build
        return
    yield from on_processor(build, machine.n_cores)
    yield from on_build(build)
    yield from on_accelerator(build, machine.gpus)


async def _on_models(settings: Settings, machine: Machine) -> list[Finding]:
    try:
        found = on_models(list_installed(settings.models_dir, Catalog.load(settings.models_dir)))
        planned = _planned(settings, machine)
    except EdgeAgentError as error:
        return [Finding("models", "problem", str(error), "Mend or remove what it names.")]
    if planned is None:
        return found
    found.append(on_plan(planned))
    return found if isinstance(planned, EdgeAgentError) else [*found, await on_computing(planned)]


def _planned(settings: Settings, machine: Machine) -> Plan | EdgeAgentError | None:
    """How the model would be loaded, or why it cannot; None where there is none."""
    try:
        return plan_of(installed_path(settings, machine.available_bytes), settings, machine)
    except NotFound:
        return None
    except EdgeAgentError as error:
        return error


async def _on_search(settings: Settings, search_urls: list[str]) -> list[Finding]:
    try:
        reach = reach_of(settings, [], search_urls)
        async with open_engines(settings, reach) as engines:
            found = await asyncio.gather(*map(_asked, _every(engines)))
    except EdgeAgentError as error:
        return [Finding("search", "problem", str(error), NO_ENGINE)]
    if any(finding.state == "good" for finding in found):
        return list(found)
    told = "No search engine answers." if found else "No search engine is configured."
    return [*found, Finding("search", "problem", told, NO_ENGINE)]


def _every(engines: Engines) -> list[SearchProvider]:
    remote = [one for name in engines.order for one in engines.remote.get(name, ())]
    return [*engines.libraries, *remote]


async def _asked(provider: SearchProvider) -> Finding:
    name = f"search: {provider.name}"
    try:
        hits = await provider.search(PROBE, 1)
    except EdgeAgentError as error:
        return Finding(name, "note", str(error), "Others are asked in its place.")
    return Finding(
        name, "good", "It answers." if hits else "It answers, and has nothing on a test."
    )


def _show(findings: list[Finding], console: Console) -> None:
    for finding in findings:
        line = f"{MARKS[finding.state]} {escape(finding.name)}: {escape(finding.told)}"
        console.print(line, soft_wrap=True, highlight=False)
        if finding.fix and finding.state != "good":
            console.print(
                f"        [dim]→[/] {escape(finding.fix)}", soft_wrap=True, highlight=False
            )
