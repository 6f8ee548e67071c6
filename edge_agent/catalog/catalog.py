"""All model cards: those shipped with the program, and a person's own over them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path

from edge_agent.catalog.card import Card
from edge_agent.catalog.cardfile import read_card
from edge_agent.errors import CatalogError, NotFound

DEFAULT_MODEL = "agentcpm-explore-4b"
SMALL_MODEL = "qwen2.5-coder-1.5b-instruct"
EMBEDDING_MODEL = "all-minilm-l6-v2"


def shipped_cards_dir() -> Path:
    """`models/` of the source tree when there is one, else the copy inside the installed package.

    Raises CatalogError when neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_data" / "models", package.parent / "models"):
        if folder.is_dir():
            return folder
    raise CatalogError(f"No model cards beside {package}: reinstall edge-agent.")


class Catalog:
    """Cards by name. Folders are read in order; a later card replaces one of the same name."""

    def __init__(self, cards: Iterable[Card]) -> None:
        self._cards = {card.name: card for card in cards}

    @classmethod
    def read(cls, *folders: Path) -> Catalog:
        """The cards of every `*.toml` in `folders`; a folder that is missing holds none."""
        paths = (path for folder in folders for path in sorted(folder.glob("*.toml")))
        return cls(read_card(path) for path in paths)

    @classmethod
    def load(cls, models_dir: Path) -> Catalog:
        """The shipped cards, and those a person put into `models_dir`/cards."""
        return cls.read(shipped_cards_dir(), models_dir / "cards")

    def __iter__(self) -> Iterator[Card]:
        return iter(self._cards.values())

    def __contains__(self, name: object) -> bool:
        return name in self._cards

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._cards)

    def get(self, name: str) -> Card:
        """The card of that name, in any case of letters. Raises NotFound naming what there is."""
        folded = {known.lower(): card for known, card in self._cards.items()}
        if name.lower() in folded:
            return folded[name.lower()]
        near = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.5)
        hint = f" Did you mean {folded[near[0]].name}?" if near else ""
        raise NotFound(
            f"There is no model named {name!r}.{hint} Known models: {', '.join(self.names)}."
        )

    def of_file(self, file_name: str) -> Card | None:
        """The card that places a file of that name, if any."""
        return next((card for card in self if file_name in card.placed_names), None)

    def chat_models(self) -> list[Card]:
        """Chat models, the best first."""
        chats = [card for card in self if card.kind == "chat"]
        return sorted(chats, key=lambda card: -card.rank)
