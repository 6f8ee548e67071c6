"""The command line: serve, run, demo, pull, models."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.table import Table

from edge_agent.agent.jsonable import run_as_json
from edge_agent.agent.records import Answered, Limits, Run, Task
from edge_agent.catalog.catalog import SMALL_MODEL, Catalog
from edge_agent.catalog.installed import Installed, list_installed
from edge_agent.catalog.pull import pull as pull_card
from edge_agent.cli.house import House, Reach, library_at, open_house
from edge_agent.cli.sample import DEMO_LIBRARY, first_question, sample_site
from edge_agent.cli.serving import serve_house
from edge_agent.cli.show import Bar, RunPrinter
from edge_agent.config import Settings, load_settings
from edge_agent.errors import ConfigError, EdgeAgentError
from edge_agent.server.serve import bind
from edge_agent.tools.site import Site

T = TypeVar("T")

app = typer.Typer(
    help="An agent inference server for one device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Model = Annotated[
    str | None, typer.Option("--model", "-m", help="A card's name, a GGUF file, or auto.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
CtxSize = Annotated[int | None, typer.Option("--ctx-size", "-c", help="Tokens of KV cache.")]
Threads = Annotated[int | None, typer.Option("--threads", "-t", help="Decode threads.")]
Seed = Annotated[int | None, typer.Option("--seed", "-s", help="Seed of every generation.")]
Libraries = Annotated[
    list[str] | None,
    typer.Option("--library", help="A folder of documents, or NAME=FOLDER; may be repeated."),
]
SearchUrls = Annotated[
    list[str] | None, typer.Option("--search", help="URL of a SearXNG instance; may be repeated.")
]
Steps = Annotated[int, typer.Option("--steps", min=1, help="Most turns of the model.")]
TokenLimit = Annotated[int, typer.Option("--tokens", min=1, help="Most tokens it writes.")]
Seconds = Annotated[float, typer.Option("--seconds", min=1, help="Most seconds in all.")]
DEFAULT_LIMITS = Limits()


@app.command()
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
) -> None:
    """Research one question and print the answer with its proof."""
    settings = _settings(model=model, ctx_size=ctx_size, threads=threads, seed=seed)
    limits = Limits(steps, tokens, seconds)

    async def work() -> Run:
        reach = _reach(settings, library or [], search or [])
        return await _research(settings, reach, Task(task, limits=limits), as_json)

    done = _run(work())
    if as_json:
        _print_json(run_as_json(done))
    raise typer.Exit(0 if done.status == "completed" else 1)


@app.command()
def demo(model: Model = None, as_json: AsJson = False) -> None:
    """Serve the sample site on the loopback address and answer a question about it."""
    settings = _settings(model=model)
    if settings.model == "auto":
        settings = settings.model_copy(update={"model": SMALL_MODEL})

    async def work() -> Run:
        folder = sample_site()
        with Site(folder) as site:
            shelf = library_at(DEMO_LIBRARY, folder, settings, site.url)
            reach = Reach({DEMO_LIBRARY: shelf}, (), False, (site.host,))
            return await _research(settings, reach, Task(first_question()), as_json)

    done = _run(work())
    if as_json:
        _print_json(run_as_json(done))
    raise typer.Exit(0 if done.status == "completed" and done.citations else 1)


@app.command()
def serve(
    model: Model = None,
    host: Annotated[str | None, typer.Option("--host")] = None,
    port: Annotated[int | None, typer.Option("--port")] = None,
    ctx_size: CtxSize = None,
    parallel: Annotated[int | None, typer.Option("--parallel", "-np")] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", "-b")] = None,
    threads: Threads = None,
    api_key: Annotated[list[str] | None, typer.Option("--api-key", help="May be repeated.")] = None,
    alias: Annotated[str | None, typer.Option("--alias", "-a", help="Name for clients.")] = None,
    chat_template_file: Annotated[Path | None, typer.Option("--chat-template-file")] = None,
    n_gpu_layers: Annotated[int | None, typer.Option("--n-gpu-layers", "-ngl")] = None,
    seed: Seed = None,
    temp: Annotated[float | None, typer.Option("--temp")] = None,
    n_predict: Annotated[int | None, typer.Option("--n-predict", "-n", "--predict")] = None,
    library: Libraries = None,
    search: SearchUrls = None,
) -> None:
    """Serve the OpenAI API and /agent/run. Flags mean what llama-server's mean."""
    settings = _settings(
        model=model,
        host=host,
        port=port,
        ctx_size=ctx_size,
        parallel=parallel,
        batch_size=batch_size,
        threads=threads,
        api_key=tuple(key for keys in api_key or [] for key in keys.split(",")) or None,
        alias=alias,
        chat_template_file=chat_template_file,
        n_gpu_layers=n_gpu_layers,
        seed=None if seed == -1 else seed,
        temp=temp,
        n_predict=n_predict,
    )

    async def work() -> None:
        reach = _reach(settings, library or [], search or [])
        with bind(settings.host, settings.port) as listening, Bar(_err()) as bar:
            async with open_house(settings, reach, _say, bar) as house:
                await serve_house(house, settings, listening, _say)

    _run(work())


@app.command()
def pull(
    name: Annotated[str, typer.Argument(help="A name from `edge-agent models`.")],
    as_json: AsJson = False,
) -> None:
    """Bring a model onto this device; an interrupted pull goes on where it stopped."""
    settings = _settings()

    async def work() -> Path:
        card = Catalog.load(settings.models_dir).get(name)
        with Bar(_err()) as bar:
            return await asyncio.to_thread(pull_card, card, settings.models_dir, bar)

    path = _run(work())
    if as_json:
        _print_json({"name": name, "path": str(path)})
    else:
        print(path)


@app.command()
def models(as_json: AsJson = False) -> None:
    """List the models that are installed and those that can be pulled."""
    settings = _settings()
    catalog = _guarded(lambda: Catalog.load(settings.models_dir))
    rows = _model_rows(catalog, list_installed(settings.models_dir, catalog))
    if as_json:
        _print_json({"directory": str(settings.models_dir), "models": rows})
        return
    table = Table("name", "installed", "size", "context", "licence", "note", box=None)
    for row in rows:
        size = f"{row['size'] / 1e9:.2f} GB" if row["size"] else ""
        note = row["problem"] or row["note"]
        installed = "yes" if row["installed"] else ""
        table.add_row(row["name"], installed, size, str(row["n_ctx"] or ""), row["licence"], note)
    Console().print(table)


def _model_rows(catalog: Catalog, installed: list[Installed]) -> list[dict[str, Any]]:
    here = {model.name: model for model in installed}
    rows = [
        {
            "name": card.name,
            "kind": card.kind,
            "installed": card.name in here and not here[card.name].problem,
            "path": str(here[card.name].path) if card.name in here else None,
            "size": here[card.name].size_bytes if card.name in here else card.download_bytes,
            "n_ctx": card.context_length,
            "licence": card.licence,
            "profile": card.profile,
            "note": card.note,
            "problem": here[card.name].problem if card.name in here else None,
        }
        for card in sorted(catalog, key=lambda card: -card.rank)
    ]
    own = [model for model in installed if model.card is None]
    return rows + [
        {
            "name": model.name,
            "kind": model.kind,
            "installed": not model.problem,
            "path": str(model.path),
            "size": model.size_bytes,
            "n_ctx": model.context_length,
            "licence": "",
            "profile": "",
            "note": "a file of your own",
            "problem": model.problem,
        }
        for model in own
    ]


async def _research(settings: Settings, reach: Reach, task: Task, as_json: bool) -> Run:
    """One run, told on the terminal: on stderr when stdout is for JSON."""
    printer = RunPrinter(_err() if as_json else Console())
    with Bar(_err()) as bar:
        async with open_house(settings, reach, _say, bar) as house:
            return await _told(house, task, printer)


async def _told(house: House, task: Task, printer: RunPrinter) -> Run:
    async for event in house.agent.stream(task):
        printer.show(event)
        if isinstance(event, Answered):
            return event.run
    raise AssertionError("a run ends with Answered")


def _reach(settings: Settings, libraries: list[str], search: list[str]) -> Reach:
    """What the flags add to the settings; hosts named on the command line may be fetched from."""
    shelves = dict(settings.libraries)
    for given in libraries:
        name, _, folder = given.rpartition("=") if "=" in given else ("", "", given)
        path = Path(folder).expanduser()
        shelves[name or path.resolve().name] = path
    for name, path in shelves.items():
        if not path.is_dir():
            raise ConfigError(f"Library {name}: {path} is not a folder.")
    urls = tuple(search) or settings.search_url
    hosts = tuple(urlsplit(url).netloc for url in urls)
    if not all(hosts):
        raise ConfigError(f"--search takes a URL such as http://127.0.0.1:8888, not {urls[0]!r}.")
    return Reach(
        {name: library_at(name, path, settings) for name, path in shelves.items()},
        urls,
        settings.web_search,
        (*settings.allow_hosts, *hosts),
    )


def _settings(**flags: Any) -> Settings:
    return _guarded(lambda: load_settings(**flags))


def _run(work: Coroutine[Any, Any, T]) -> T:
    return _guarded(lambda: asyncio.run(work))


def _guarded(work: Callable[[], T]) -> T:
    """Our errors end the command with one sentence on stderr and exit status 1."""
    try:
        return work()
    except EdgeAgentError as error:
        _say(f"edge-agent: {error}")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _err() -> Console:
    return Console(stderr=True)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))
