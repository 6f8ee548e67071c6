"""Which model runs: what was asked for, or what `auto` means on this device today."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_agent.catalog.card import Card, HubSpec
from edge_agent.catalog.catalog import DEFAULT_MODEL, SMALL_MODEL, Catalog
from edge_agent.catalog.gguf import read_gguf
from edge_agent.catalog.hub import HubSource
from edge_agent.catalog.installed import Installed, inspect, is_installed, list_installed
from edge_agent.errors import BadModelFile, RequestError

AUTO = "auto"
HubAnswers = Callable[[Card], bool]


@dataclass(frozen=True, slots=True)
class Choice:
    """The model to run and one sentence saying why.

    path: the GGUF, or None when `card` has to be pulled first.
    """

    name: str
    path: Path | None
    card: Card | None
    reason: str


def hub_has(card: Card) -> bool:
    """Whether the hub answers for the card within a few seconds."""
    hubs = [HubSource(spec) for spec in card.sources if isinstance(spec, HubSpec)]
    return any(hub.answers() for hub in hubs)


def choose(
    wanted: str,
    models_dir: Path,
    catalog: Catalog,
    memory_bytes: int,
    hub_answers: HubAnswers = hub_has,
) -> Choice:
    """The model for `wanted`: "auto", a card's name, a path, or a file's name in `models_dir`.

    `auto`: the best installed chat model that fits `memory_bytes`; else the default model if it
    fits and the hub answers; else the small one. Raises NotFound, BadModelFile or RequestError.
    """
    if wanted == AUTO:
        return _auto(models_dir, catalog, memory_bytes, hub_answers)
    return _named(wanted, models_dir, catalog)


def _named(wanted: str, models_dir: Path, catalog: Catalog) -> Choice:
    path = _as_path(wanted, models_dir)
    if path is not None:
        read_gguf(path)
        found = inspect(path, catalog)
        return Choice(found.name, path, found.card, f"{found.name} was asked for.")
    card = catalog.get(wanted)
    if card.kind != "chat":
        raise RequestError(f"{card.name} is an embedding model: it cannot answer.", param="model")
    if is_installed(card, models_dir):
        return Choice(card.name, card.entry(models_dir), card, f"{card.name} was asked for.")
    reason = f"{card.name} was asked for and is not on this device yet."
    return Choice(card.name, None, card, reason)


def _as_path(wanted: str, models_dir: Path) -> Path | None:
    """The file a path or a file's name stands for; None where it reads like a card's name."""
    path = Path(wanted).expanduser()
    if path.is_file():
        return path
    if wanted.endswith(".gguf") or path.is_dir() or len(path.parts) > 1:
        inside = models_dir / wanted
        if inside.is_file():
            return inside
        raise BadModelFile(f"{wanted} is not a file: name a GGUF file or a model's name.")
    stem = models_dir / f"{wanted}.gguf"
    return stem if stem.is_file() else None


def _auto(models_dir: Path, catalog: Catalog, memory_bytes: int, hub_answers: HubAnswers) -> Choice:
    usable = [m for m in list_installed(models_dir, catalog) if m.kind == "chat" and not m.problem]
    fitting = [model for model in usable if needs(model) <= memory_bytes]
    if fitting:
        best = max(fitting, key=_worth)
        reason = f"{best.name} is the best installed model that fits the memory."
        return Choice(best.name, best.path, best.card, reason)
    if usable:
        least = min(usable, key=needs)
        reason = f"{least.name} is the smallest installed model; memory is short for it."
        return Choice(least.name, least.path, least.card, reason)
    return _to_pull(catalog, memory_bytes, hub_answers)


def _to_pull(catalog: Catalog, memory_bytes: int, hub_answers: HubAnswers) -> Choice:
    default, small = catalog.get(DEFAULT_MODEL), catalog.get(SMALL_MODEL)
    if default.memory_bytes > memory_bytes:
        why = (
            f"the default {default.name} needs {default.memory_bytes / 1e9:.1f} GB of memory and "
            f"{memory_bytes / 1e9:.1f} GB are free"
        )
        return Choice(small.name, None, small, f"{small.name} is taken because {why}.")
    if not hub_answers(default):
        why = f"the hub does not deliver the default {default.name}"
        return Choice(small.name, None, small, f"{small.name} is taken because {why}.")
    reason = f"{default.name} is the default, and no model is installed yet."
    return Choice(default.name, None, default, reason)


def needs(model: Installed) -> int:
    """Bytes of memory; for a file without a card a quarter more than its size."""
    return model.card.memory_bytes if model.card else model.size_bytes * 5 // 4


def _worth(model: Installed) -> tuple[int, int]:
    """Cards by rank; a person's own file counts like the middle of them, the larger the better."""
    return (model.card.rank if model.card else 50, model.size_bytes)
