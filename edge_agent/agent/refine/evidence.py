"""What a run has found out: literal pieces of stored pages, numbered as the model sees them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from edge_agent.agent.records import Citation
from edge_agent.agent.refine.passages import Passage
from edge_agent.tools.base import Page
from edge_agent.tools.untrusted.marks import MARK, suspicious


@dataclass(frozen=True, slots=True)
class Fact:
    """A quotable piece of a page under its number in this run."""

    number: int
    page: Page
    passage: Passage

    @property
    def line(self) -> str:
        """How the model reads it: the number, what it stands under when needed, the words; marked
        when they want to be obeyed."""
        under = self.passage.context.rsplit(" > ", 1)[-1]
        known = not under or under.casefold() in self.page.title.casefold()
        words = " ".join(self.passage.text.split())
        mark = MARK if suspicious(words) else ""
        return f"[{self.number}] {'' if known else f'({under}) '}{mark}{words}"

    @property
    def citation(self) -> Citation:
        return Citation(self.page.source, self.page.url, self.page.title, self.passage.text)


class Evidence:
    """The facts of one run, in the order they were kept. The same words of a page come once."""

    def __init__(self) -> None:
        self._facts: list[Fact] = []
        self._seen: dict[tuple[str, str], Fact] = {}
        self._marked: set[int] = set()

    def __len__(self) -> int:
        return len(self._facts)

    def __iter__(self) -> Iterator[Fact]:
        return iter(self._facts)

    def mark(self, numbers: Iterable[int]) -> None:
        """The model pointed at these; numbers that are no fact's are ignored."""
        self._marked.update(n for n in numbers if 1 <= n <= len(self._facts))

    def is_marked(self, fact: Fact) -> bool:
        return fact.number in self._marked

    def add(self, page: Page, passages: Iterable[Passage]) -> list[Fact]:
        """Number the passages; one that is known keeps its number."""
        return [self._add(page, passage) for passage in passages]

    def _add(self, page: Page, passage: Passage) -> Fact:
        key = (page.url, passage.text)
        if key not in self._seen:
            self._seen[key] = Fact(len(self._facts) + 1, page, passage)
            self._facts.append(self._seen[key])
        return self._seen[key]


def as_text(facts: Iterable[Fact]) -> str:
    """Facts for a prompt: under the title of their page, in the order given."""
    lines: list[str] = []
    title = None
    for fact in facts:
        if fact.page.title != title:
            title = fact.page.title
            lines.append(f"From “{' '.join(title.split())}”:")
        lines.append(fact.line)
    return "\n".join(lines)
