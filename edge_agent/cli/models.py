"""`edge-agent pull` and `edge-agent models`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from edge_agent.catalog.card import Card
from edge_agent.catalog.catalog import Catalog
from edge_agent.catalog.installed import Installed, list_installed
from edge_agent.catalog.pull import pull as pull_card
from edge_agent.cli.options import AsJson
from edge_agent.cli.show import Bar
from edge_agent.cli.terminal import guarded, print_json, settings_of, stderr


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
    rows = model_rows(catalog, list_installed(settings.models_dir, catalog))
    if as_json:
        print_json({"directory": str(settings.models_dir), "models": rows})
    else:
        Console().print(_table(rows))


def model_rows(catalog: Catalog, installed: list[Installed]) -> list[dict[str, Any]]:
    """One object per card, the best first, then one per file that has no card."""
    here = {model.name: model for model in installed}
    cards = sorted(catalog, key=lambda card: -card.rank)
    own = [model for model in installed if model.card is None]
    return [_card_row(card, here.get(card.name)) for card in cards] + [_own_row(m) for m in own]


def _card_row(card: Card, here: Installed | None) -> dict[str, Any]:
    return {
        "name": card.name,
        "kind": card.kind,
        "installed": here is not None and not here.problem,
        "path": str(here.path) if here else None,
        "size": here.size_bytes if here else card.download_bytes,
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
        "n_ctx": model.context_length,
        "licence": "",
        "profile": "",
        "note": "a file of your own",
        "problem": model.problem,
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    name = Column("name", no_wrap=True, overflow="fold")  # to be typed: never cut short
    table = Table(name, "installed", "size", "context", "licence", "note", box=None)
    for row in rows:
        size = f"{row['size'] / 1e9:.2f} GB" if row["size"] else ""
        installed = "yes" if row["installed"] else ""
        n_ctx = str(row["n_ctx"] or "")
        note = row["problem"] or row["note"]
        table.add_row(row["name"], installed, size, n_ctx, row["licence"], note)
    return table
