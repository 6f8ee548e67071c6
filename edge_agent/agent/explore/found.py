"""What the searches of a run found, numbered as the model sees it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from edge_agent.tools.base import SearchHit
from edge_agent.tools.canonical import canonical

_NUMBER = re.compile(r"\W*(?:result|page|number|no)?\W*(\d{1,4})\W*", re.IGNORECASE)


@dataclass(slots=True)
class Found:
    """Search results of a run, numbered as the model sees them."""

    hits: list[SearchHit] = field(default_factory=list)

    def add(self, hits: Sequence[SearchHit]) -> list[int]:
        """Number the hits; a page that was found before keeps its number."""
        known = {canonical(hit.url): number for number, hit in enumerate(self.hits, 1)}
        numbers = []
        for hit in hits:
            key = canonical(hit.url)
            if key not in known:
                self.hits.append(hit)
                known[key] = len(self.hits)
            numbers.append(known[key])
        return numbers

    def url_of(self, reference: str) -> str:
        """The URL that a number, a title or a URL names; the reference itself when none fits."""
        wanted = reference.strip().strip("[]").casefold()
        number = _NUMBER.fullmatch(wanted)
        if number and 1 <= int(number[1]) <= len(self.hits):
            return self.hits[int(number[1]) - 1].url
        key = canonical(reference)
        for hit in self.hits:
            if wanted == hit.title.casefold() or key == canonical(hit.url):
                return hit.url
        partly = [hit.url for hit in self.hits if wanted and wanted in hit.title.casefold()]
        return partly[0] if partly and "://" not in wanted else reference.strip()
