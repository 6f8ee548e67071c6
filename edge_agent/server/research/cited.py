"""The answer of a run as text: its claims marked with the numbers of their sources, then those."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from edge_agent.agent.answer.wording import is_missing
from edge_agent.agent.records import Citation, Run
from edge_agent.chat.messages import Cited, Text
from edge_agent.server.research.telling import short

SOURCES = "\n\nSources:\n"


@dataclass(slots=True)
class _Page:
    """Text as it grows, with what its marks cite, and the sources by their number."""

    text: str = ""
    cited: list[Cited] = field(default_factory=list)
    sources: dict[str, Citation] = field(default_factory=dict)  # by url, in order

    def mark(self, citations: Iterable[Citation], claim: str) -> None:
        """A space and the numbers, such as [1][2], behind the claim that was written last."""
        gap, since = " ", len(self.text) - len(claim)
        for citation in {c.url: c for c in citations}.values():
            self.sources.setdefault(citation.url, citation)
            number = list(self.sources).index(citation.url) + 1
            self.text += gap
            start, self.text = len(self.text), f"{self.text}[{number}]"
            at = (start, len(self.text), citation.url, citation.title)
            self.cited.append(Cited(*at, since, citation.quote))
            gap = ""


def answer_of(run: Run, as_json: bool = False) -> Text:
    """What the run came to. `as_json`: nothing but its output, null where it has none; the marks
    would break that, so the whole of it cites."""
    if as_json:
        return _json(run)
    page = _Page()
    rest = run.answer
    for claim in run.claims:
        before, found, after = rest.partition(claim.text)
        if found and claim.citations:
            page.text += before + found
            page.mark(claim.citations, claim.text)
            rest = after
    page.text += rest
    if run.citations and not page.cited:
        page.mark(run.citations, run.answer)
    page.text += _remarks(run) + _sources(page.sources.values())
    return Text(page.text, citations=tuple(page.cited))


def without_sources(answer: str) -> str:
    """What an answer said, without the list behind it."""
    return answer.partition(SOURCES)[0]


def _json(run: Run) -> Text:
    text = json.dumps(run.output, ensure_ascii=False)
    cited = [
        Cited(0, len(text), c.url, c.title, 0, c.quote)
        for c in {c.url: c for c in run.citations}.values()
    ]
    return Text(text, citations=tuple(cited))


def _remarks(run: Run) -> str:
    told = [f"\n\nNote: {remark}" for remark in run.remarks]
    if is_missing(run.answer) and run.tried:
        told.append(f"\n\nLooked for: {'; '.join(map(short, run.tried))}")
    return "".join(told)


def _sources(citations: Iterable[Citation]) -> str:
    lines = [_source(number, citation) for number, citation in enumerate(citations, 1)]
    return SOURCES + "\n".join(lines) if lines else ""


def _source(number: int, citation: Citation) -> str:
    quote = f": “{short(citation.quote)}”" if citation.quote else ""
    return f"[{number}] {citation.title or citation.url} — {citation.url}{quote}"
