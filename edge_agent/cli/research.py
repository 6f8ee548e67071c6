"""`edge-agent run` and `edge-agent demo`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console

from edge_agent.agent.jsonable import run_as_json
from edge_agent.agent.records import Answered, Limits, Run, Task
from edge_agent.catalog.catalog import SMALL_MODEL
from edge_agent.cli.approving import at_the_terminal
from edge_agent.cli.door_options import McpServers
from edge_agent.cli.engine_options import KvTypeName, Lora, lora_of
from edge_agent.cli.house import House, fetch, furnish
from edge_agent.cli.options import (
    DEFAULT_LIMITS,
    AsJson,
    Backend,
    BackendKeyEnv,
    BackendModel,
    CtxSize,
    Libraries,
    Model,
    ProfileName,
    Python,
    SearchUrls,
    Seconds,
    Seed,
    Steps,
    Threads,
    TokenLimit,
)
from edge_agent.cli.reach import Reach, library_at, reach_of
from edge_agent.cli.sample import DEMO_LIBRARY, first_question, sample_site
from edge_agent.cli.show import Bar, RunPrinter
from edge_agent.cli.terminal import guarded, print_json, say, settings_of, stderr
from edge_agent.config import Settings
from edge_agent.errors import RequestError
from edge_agent.tools.web.site import Site


def run(
    task: Annotated[str, typer.Argument(help="The question to research.")],
    library: Libraries = None,
    search: SearchUrls = None,
    model: Model = None,
    steps: Steps = DEFAULT_LIMITS.steps,
    tokens: TokenLimit = DEFAULT_LIMITS.tokens,
    seconds: Seconds = DEFAULT_LIMITS.seconds,
    ctx_size: CtxSize = None,
    threads: Threads = None,
    seed: Seed = None,
    as_json: AsJson = False,
    backend: Backend = None,
    backend_model: BackendModel = None,
    backend_key_env: BackendKeyEnv = None,
    profile: ProfileName = None,
    kv_type: KvTypeName = None,
    lora: Lora = None,
    mcp_servers_config: McpServers = None,
    python: Python = None,
) -> None:
    """Research one question and print the answer with its proof."""
    settings = settings_of(
        model=model,
        ctx_size=ctx_size,
        threads=threads,
        seed=seed,
        backend=backend,
        backend_model=backend_model,
        backend_key_env=backend_key_env,
        profile=profile,
        kv_type=kv_type,
        lora=lora_of(lora, None),
        mcp_servers_config=mcp_servers_config,
        python_tool=python,
    )

    def work() -> Run:
        if not task.strip():
            raise RequestError("The task is empty: say what to find out.", "task")
        reach = reach_of(settings, library or [], search or [])
        return _research(
            settings, reach, Task(task, limits=Limits(steps, tokens, seconds)), as_json
        )

    done = guarded(work)
    _end(done, as_json, done.status == "completed")


def demo(
    model: Model = None,
    steps: Steps = DEFAULT_LIMITS.steps,
    tokens: TokenLimit = DEFAULT_LIMITS.tokens,
    seconds: Seconds = DEFAULT_LIMITS.seconds,
    ctx_size: CtxSize = None,
    threads: Threads = None,
    seed: Seed = None,
    as_json: AsJson = False,
    backend: Backend = None,
    backend_model: BackendModel = None,
    backend_key_env: BackendKeyEnv = None,
    profile: ProfileName = None,
) -> None:
    """Serve the sample site on the loopback address and answer a question about it."""
    settings = settings_of(
        model=model,
        ctx_size=ctx_size,
        threads=threads,
        seed=seed,
        backend=backend,
        backend_model=backend_model,
        backend_key_env=backend_key_env,
        profile=profile,
    )
    limits = Limits(steps, tokens, seconds)
    if settings.model == "auto" and not settings.backend:
        settings = settings.model_copy(update={"model": SMALL_MODEL})

    def work() -> Run:
        folder = sample_site()
        with Site(folder) as site:
            shelf = library_at(DEMO_LIBRARY, folder, settings, site.url)
            reach = Reach({DEMO_LIBRARY: shelf}, (), False, (site.host,))
            return _research(settings, reach, Task(first_question(), limits=limits), as_json)

    done = guarded(work)
    _end(done, as_json, done.status == "completed" and bool(done.citations))


def _research(settings: Settings, reach: Reach, task: Task, as_json: bool) -> Run:
    """One run, told on the terminal: on stderr when stdout is for JSON."""
    with Bar(stderr()) as bar:
        fetched = fetch(settings, say, bar)
    printer = RunPrinter(stderr() if as_json else Console())

    async def work() -> Run:
        async with furnish(fetched, settings, reach, say, at_the_terminal()) as house:
            return await _told(house, task, printer)

    return asyncio.run(work())


async def _told(house: House, task: Task, printer: RunPrinter) -> Run:
    async for event in house.agent.stream(task):
        printer.show(event)
        if isinstance(event, Answered):
            return event.run
    raise AssertionError("a run ends with Answered")


def _end(done: Run, as_json: bool, good: bool) -> None:
    if as_json:
        print_json(run_as_json(done))
    raise typer.Exit(0 if good else 1)
