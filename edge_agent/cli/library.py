"""`edge-agent library`: documents that the agent searches and reads without a network."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from edge_agent.catalog.catalog import EMBEDDING_MODEL
from edge_agent.cli.meanings import embedder_of
from edge_agent.cli.options import AsJson
from edge_agent.cli.reach import shelf_of
from edge_agent.cli.terminal import guarded, print_json, say, settings_of, stderr
from edge_agent.config import Settings
from edge_agent.errors import LibraryError
from edge_agent.tools.base import SearchHit
from edge_agent.tools.library.kind import AnyLibrary
from edge_agent.tools.library.shelf import KINDS, MadeOf, Shelf, Shelved, kind_of
from edge_agent.tools.library.sync import Refreshed

library_app = typer.Typer(
    help="Documents that the agent searches and reads without a network.",
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(help="The library's name.")]
WordsOnly = Annotated[
    bool, typer.Option("--words-only", help="Do not make embeddings: it is searched by words.")
]


@library_app.command()
def add(
    name: Name,
    source: Annotated[
        str, typer.Argument(help="A folder, a file of JSON lines, a ZIM file or a website.")
    ],
    kind: Annotated[
        str | None, typer.Option("--kind", help=f"What the source is: {', '.join(KINDS)}.")
    ] = None,
    base_url: Annotated[
        str, typer.Option("--base-url", help="Where its documents are also served over HTTP.")
    ] = "",
    pages: Annotated[
        int, typer.Option("--pages", min=0, help="Most pages of a website; 0 is 500.")
    ] = 0,
    in_place: Annotated[
        bool,
        typer.Option("--in-place", help="Search a ZIM file by its own index and copy nothing."),
    ] = False,
    words_only: WordsOnly = False,
    as_json: AsJson = False,
) -> None:
    """Make a library and index it; interrupted, `library sync` goes on with it."""
    settings = settings_of()

    def work() -> dict[str, Any]:
        shelf = shelf_of(settings)
        found = kind or kind_of(source)
        location = source if found == "website" else str(Path(source).expanduser().resolve())
        shelf.add(name, MadeOf(found, location, base_url, pages, in_place)).close()
        try:
            return _synced(settings, shelf, name, words_only)
        except LibraryError:
            if not shelf.open(name).counts()[0]:
                shelf.remove(name)  # nothing came of it, and its name is free again
            raise

    _tell([guarded(work)], as_json)


@library_app.command()
def sync(
    name: Annotated[
        list[str] | None, typer.Argument(help="Libraries to bring up to date; all by default.")
    ] = None,
    words_only: WordsOnly = False,
    as_json: AsJson = False,
) -> None:
    """Take in what is new or changed, drop what is gone, and make the embeddings that miss."""
    settings = settings_of()

    def work() -> list[dict[str, Any]]:
        shelf = shelf_of(settings)
        return [_synced(settings, shelf, one, words_only) for one in name or shelf.names()]

    _tell(guarded(work), as_json)


@library_app.command("list")
def list_libraries(as_json: AsJson = False) -> None:
    """List the libraries of this device."""
    settings = settings_of()
    shelved = guarded(lambda: shelf_of(settings).listed())
    if as_json:
        print_json({"libraries": [_row(each) for each in shelved]})
    else:
        Console().print(_table(shelved))


@library_app.command()
def search(
    name: Name,
    query: Annotated[str, typer.Argument(help="What to search for.")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Most results.")] = 10,
    words_only: WordsOnly = False,
    as_json: AsJson = False,
) -> None:
    """Search one library as the agent does."""
    settings = settings_of()

    def work() -> tuple[list[SearchHit], float]:
        library = shelf_of(settings).open(name)
        if not words_only:
            _embed(settings, library)
        library.find(query, limit)  # opens the index and the model, which is not what is timed
        began = time.monotonic()
        hits = library.find(query, limit)
        return hits, 1000 * (time.monotonic() - began)

    hits, ms = guarded(work)
    if as_json:
        print_json({"results": [asdict(hit) for hit in hits], "milliseconds": round(ms, 1)})
        return
    console = Console()
    for number, hit in enumerate(hits, 1):
        console.print(f"[bold]{number}. {escape(hit.title)}[/]", soft_wrap=True, highlight=False)
        console.print(f"   [cyan]{escape(hit.url)}[/]", soft_wrap=True, highlight=False)
        console.print(f"   {escape(hit.snippet)}", soft_wrap=True, highlight=False)
    say(f"{len(hits)} results in {ms:.0f} ms")


@library_app.command()
def remove(name: Name, as_json: AsJson = False) -> None:
    """Delete a library; what it was made of is not touched."""
    settings = settings_of()
    guarded(lambda: shelf_of(settings).remove(name))
    if as_json:
        print_json({"removed": name})
    else:
        say(f"The library {name} was removed.")


def _synced(settings: Settings, shelf: Shelf, name: str, words_only: bool) -> dict[str, Any]:
    """Index the words, then make the embeddings; the first is enough to search."""
    library = shelf.open(name)
    try:
        began = time.monotonic()
        with Counting(f"{name}: words") as counting:
            refreshed = shelf.sync(name, library, counting)
        _account(name, refreshed, time.monotonic() - began)
        if not words_only and _embed(settings, library):
            _fill(name, library)
        documents, waiting = library.counts()
    finally:
        library.close()
    return {"name": name, **asdict(refreshed), "documents": documents, "without_embedding": waiting}


def _account(name: str, refreshed: Refreshed, seconds: float) -> None:
    for path, why in refreshed.problems:
        say(f"{name}: {path + ' was skipped: ' if path else ''}{why}")
    say(
        f"{name}: {refreshed.documents} documents, {refreshed.changed} new or changed, "
        f"{refreshed.removed} removed, {refreshed.skipped} skipped, in {seconds:.1f} s"
    )


def _embed(settings: Settings, library: AnyLibrary) -> bool:
    """Whether the library can be searched by meaning too."""
    embedder = embedder_of(settings)
    if embedder is not None:
        library.embed_with(embedder, EMBEDDING_MODEL)
    return embedder is not None


def _fill(name: str, library: AnyLibrary) -> None:
    documents, waiting = library.counts()
    with Counting(f"{name}: embeddings") as counting:
        done = documents - waiting
        while made := library.fill():
            done += made
            counting(done, documents)


def _tell(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json({"libraries": rows})


def _row(each: Shelved) -> dict[str, Any]:
    return {
        "name": each.name,
        **asdict(each.made_of),
        "documents": each.documents,
        "without_embedding": each.waiting,
        "synced_at": each.synced_at or None,
        "file": str(each.file),
        "bytes": each.file.stat().st_size,
    }


def _table(shelved: list[Shelved]) -> Table:
    columns = (Column(head, overflow="fold") for head in ("name", "kind", "source"))
    table = Table(*columns, "documents", "embedded", "size", "synced", box=None)
    for each in shelved:
        size = f"{each.file.stat().st_size / 1e6:.0f} MB"
        made = f"{each.documents - each.waiting}"
        source = (escape(each.name), each.made_of.kind, escape(each.made_of.location))
        table.add_row(*source, f"{each.documents}", made, size, each.synced_at or "never")
    return table


class Counting:
    """A bar over documents, on stderr, while the `with` block runs."""

    def __init__(self, what: str) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
        self._progress = Progress(*columns, TimeRemainingColumn(), console=stderr(), transient=True)
        self._task = self._progress.add_task(escape(what), total=None)

    def __enter__(self) -> Counting:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def __call__(self, done: int, total: int) -> None:
        """See `tools.library.source.Told`."""
        self._progress.update(self._task, completed=done, total=total or None)
