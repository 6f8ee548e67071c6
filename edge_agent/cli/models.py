"""`edge-agent pull`, `models`, `verify`, `rm` and `import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from edge_agent.catalog.card import Card
from edge_agent.catalog.catalog import Catalog
from edge_agent.catalog.choose import needs
from edge_agent.catalog.installed import Installed, list_installed
from edge_agent.catalog.keeping import bring, check, find, remove
from edge_agent.catalog.pull import pull as pull_card
from edge_agent.cli.options import AsJson
from edge_agent.cli.show import Bar
from edge_agent.cli.terminal import guarded, print_json, settings_of, stderr
from edge_agent.engine.fit.machine import available_bytes

Name = Annotated[str, typer.Argument(help="A name from `edge-agent models`, or a file's.")]


def pull(
    name: Annotated[str, typer.Argument(help="A name from `edge-agent models`.")],
    as_json: AsJson = False,
) -> None:
    """Bring a model onto this device; an interrupted pull goes on where it stopped."""
    settings = settings_of()
    with Bar(stderr()) as bar:
        card = guarded(lambda: Catalog.load(settings.models_dir).get(name))
        path = guarded(lambda: pull_card(card, settings.models_dir, bar))
    if as_json:
        print_json({"name": card.name, "path": str(path)})
    else:
        print(path)


def models(as_json: AsJson = False) -> None:
    """List the models that are installed and those that can be pulled."""
    settings = settings_of()
    catalog = guarded(lambda: Catalog.load(settings.models_dir))
    installed = list_installed(settings.models_dir, catalog)
    rows = model_rows(catalog, installed, available_bytes())
    if as_json:
        print_json({"directory": str(settings.models_dir), "models": rows})
    else:
        Console().print(_table(rows))


def verify(name: Name, as_json: AsJson = False) -> None:
    """Check an installed model: its size and hash against its card, and that it is whole."""
    settings = settings_of()
    model = guarded(lambda: _find(name))
    with Bar(stderr()) as bar:
        found = guarded(lambda: check(model, settings.models_dir, bar))
    _tell({"name": model.name, "path": str(model.path), "found": found}, as_json)


def rm(name: Name, as_json: AsJson = False) -> None:
    """Remove an installed model from this device."""
    settings = settings_of()
    model = guarded(lambda: _find(name))
    freed = guarded(lambda: remove(model, settings.models_dir))
    _tell({"name": model.name, "path": str(model.path), "freed": freed}, as_json)


def import_(
    file: Annotated[Path, typer.Argument(help="A GGUF file.")], as_json: AsJson = False
) -> None:
    """Put a GGUF file into the models folder: linked where that is possible, else copied."""
    settings = settings_of()
    path = guarded(lambda: bring(file, settings.models_dir))
    _tell({"name": path.stem, "path": str(path)}, as_json)


def _find(name: str) -> Installed:
    settings = settings_of()
    return find(name, settings.models_dir, Catalog.load(settings.models_dir))


def _tell(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        print(found["path"] + "".join(f": {found[key]}" for key in ("found",) if key in found))


def model_rows(
    catalog: Catalog, installed: list[Installed], memory_bytes: int
) -> list[dict[str, Any]]:
    """One object per card, the best first, then one per file that has no card. `fits`: whether
    `memory_bytes` suffice, `needs` what it takes."""
    here = {model.name: model for model in installed}
    cards = sorted(catalog, key=lambda card: -card.rank)
    own = [model for model in installed if model.card is None]
    rows = [_card_row(card, here.get(card.name)) for card in cards] + [_own_row(m) for m in own]
    return [{**row, "fits": row["needs"] <= memory_bytes} for row in rows]


def _card_row(card: Card, here: Installed | None) -> dict[str, Any]:
    return {
        "name": card.name,
        "kind": card.kind,
        "installed": here is not None and not here.problem,
        "path": str(here.path) if here else None,
        "size": here.size_bytes if here else card.download_bytes,
        "needs": card.memory_bytes,
        "n_ctx": card.context_length,
        "licence": card.licence,
        "profile": card.profile,
        "note": card.note,
        "problem": here.problem if here else None,
    }


def _own_row(model: Installed) -> dict[str, Any]:
    return {
        "name": model.name,
        "kind": model.kind,
        "installed": not model.problem,
        "path": str(model.path),
        "size": model.size_bytes,
        "needs": needs(model),
        "n_ctx": model.context_length,
        "licence": "",
        "profile": "",
        "note": "a file of your own",
        "problem": model.problem,
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    name = Column("name", no_wrap=True, overflow="fold")  # to be typed: never cut short
    table = Table(name, "installed", "size", "fits", "context", "licence", "note", box=None)
    for row in rows:
        size = f"{row['size'] / 1e9:.2f} GB" if row["size"] else ""
        installed = "yes" if row["installed"] else ""
        n_ctx = str(row["n_ctx"] or "")
        note = row["problem"] or row["note"]
        fits = "yes" if row["fits"] else f"no: needs {row['needs'] / 1e9:.1f} GB"
        table.add_row(row["name"], installed, size, fits, n_ctx, row["licence"], note)
    return table
