"""Where to read on without asking the model: at the names that the best passages point to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from edge_agent.agent.refine.names import names
from edge_agent.agent.refine.passages import Passage, split
from edge_agent.agent.refine.ranker import Ranker
from edge_agent.agent.refine.words import plain, spellings, words
from edge_agent.tools.base import Page

TELLING = 12  # passages whose names are followed, the best first


class Scout:
    """Turns what was read into the next searches.

    A question of several hops names the end it begins from; the name in the middle stands in a
    passage that speaks to the question. Following such names costs searches and no model.
    """

    def __init__(self, ranker: Ranker, most: int) -> None:
        self._ranker = ranker
        self._most = most

    def queries(self, question: str, pages: Sequence[Page]) -> list[str]:
        """For each name worth following itself, and with what of the question its passage leaves
        open; best first. Takes a tenth of a second: call it in a thread from async code."""
        places = [(page.title, passage) for page in pages for passage in split(page.text)]
        if not places:
            return []
        titles, passages = zip(*places, strict=True)
        scores = self._ranker.scores(question, titles, passages)
        best = [passages[i] for i in np.argsort(-scores, kind="stable")[:TELLING]]
        found = self._leads(question, {page.title for page in pages}, best)
        return list(dict.fromkeys(query for lead in found for query in lead))

    def _leads(
        self, question: str, read: Iterable[str], best: Sequence[Passage]
    ) -> list[tuple[str, str]]:
        known = [_flat(question), *map(_flat, read)]
        leads: dict[str, tuple[str, str]] = {}
        for passage in best:
            rest = _rest(question, passage)
            for name in names(passage.text):
                flat = _flat(name)
                if not any(flat in said for said in known):
                    leads.setdefault(flat, (name, f"{name} {rest}".strip()))
        return list(leads.values())[: self._most]


def _rest(question: str, passage: Passage) -> str:
    """The words of the question that the passage does not have."""
    said = set(words(passage.text))
    return " ".join(w for w in spellings(question) if (own := words(w)) and not said & {*own})


def _flat(text: str) -> str:
    return f" {' '.join(spellings(plain(text)))} "
