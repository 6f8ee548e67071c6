"""What is in the models folder: files of cards, and a person's own GGUFs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_agent.catalog.card import Card
from edge_agent.catalog.catalog import Catalog
from edge_agent.catalog.gguf import read_gguf
from edge_agent.errors import BadModelFile


@dataclass(frozen=True, slots=True)
class Installed:
    """A model on this device.

    name: the card's, or the file's name without its ending. path: what is opened. problem: why it
    cannot be used, or None.
    """

    name: str
    path: Path
    size_bytes: int
    kind: str
    card: Card | None = None
    context_length: int | None = None
    problem: str | None = None


def is_installed(card: Card, models_dir: Path) -> bool:
    """Whether all files of the card are in place, of the right size, and whole."""
    sizes = {file.name: file.size_bytes for file in card.files}
    paths = card.paths(models_dir)
    if not all(path.is_file() and path.stat().st_size > 0 for path in paths):
        return False
    if any(sizes.get(p.name) not in (None, p.stat().st_size) for p in paths):
        return False
    return all(_problem(path) is None for path in paths if path.suffix == ".gguf")


def list_installed(models_dir: Path, catalog: Catalog) -> list[Installed]:
    """Everything in the folder that can be opened or should be but cannot, by name."""
    chats = [inspect(path, catalog) for path in sorted(models_dir.glob("*.gguf"))]
    embeddings = [
        Installed(card.name, card.entry(models_dir), _size(card, models_dir), card.kind, card)
        for card in catalog
        if card.kind == "embedding" and is_installed(card, models_dir)
    ]
    return sorted(chats + embeddings, key=lambda model: model.name)


def inspect(path: Path, catalog: Catalog) -> Installed:
    """What a GGUF file is; a bad one is described by its `problem`."""
    card = catalog.of_file(path.name)
    name = card.name if card else path.stem
    size = path.stat().st_size if path.exists() else 0
    try:
        context = read_gguf(path).context_length
    except BadModelFile as error:
        return Installed(name, path, size, "chat", card, problem=str(error))
    return Installed(name, path, size, "chat", card, context)


def _problem(path: Path) -> str | None:
    try:
        read_gguf(path)
    except BadModelFile as error:
        return str(error)
    return None


def _size(card: Card, models_dir: Path) -> int:
    return sum(path.stat().st_size for path in card.paths(models_dir))
