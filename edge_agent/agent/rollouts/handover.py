"""What an attempt that failed leaves to the next: extracted word for word, never retold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from edge_agent.agent.answer.answer import Answer
from edge_agent.agent.answer.wording import NOT_FOUND, is_missing
from edge_agent.agent.prompts import prompt
from edge_agent.agent.records import Reason, Step
from edge_agent.agent.refine.evidence import Evidence, Fact, as_text
from edge_agent.agent.refine.words import WORD, words
from edge_agent.agent.state import KeptFact, RunState

Failure = Literal["incomplete", "blocked", "misdirected", "bad_format"]
SourceStatus = Literal["cited", "read", "nothing useful", "could not be read"]
MOST_FACTS = 8
MOST_LINES = 12  # of sources, and of searches
MISREAD = ("wrong_kind", "echo", "contradicted", "outdated")

FAILURES: dict[Failure, str] = {
    "incomplete": "it ended before the answer was proven",
    "blocked": "searches or pages could not be reached",
    "misdirected": "it followed a line that does not lead to what is asked",
    "bad_format": "what it wrote could not be read",
}
BY_REASON: dict[Reason, Failure] = {
    "format_error": "bad_format",
    "tool_failed": "blocked",
    "env_error": "blocked",
    "repetition": "misdirected",
}


@dataclass(frozen=True, slots=True)
class Source:
    """A page of the attempt and what became of it."""

    title: str
    url: str
    status: SourceStatus


@dataclass(frozen=True, slots=True)
class Handover:
    """The state that a new attempt begins with.

    why: the check's sentence on the answer, "" where there was none to check. facts: all, with
    `marked` the numbers of those that matter. gaps: words of the question that no fact has.
    """

    failure: Failure
    why: str
    answer: str
    facts: tuple[Fact, ...]
    marked: tuple[int, ...]
    sources: tuple[Source, ...]
    queries: tuple[str, ...]
    gaps: tuple[str, ...]

    def text(self) -> str:
        """How the model reads it. The numbers of the facts are those of `state`."""
        facts = [fact for fact in self.facts if fact.number in self.marked][:MOST_FACTS]
        sources = [f"- {s.title} ({s.url}): {s.status}" for s in self.sources[:MOST_LINES]]
        return prompt("fresh").format(
            failure=FAILURES[self.failure],
            answer=" ".join(part for part in (self.answer, self.why) if part),
            facts=as_text(facts) or "(none)",
            sources="\n".join(sources) or "(none)",
            queries="; ".join(self.queries[:MOST_LINES]) or "(none)",
            gaps=", ".join(self.gaps) or "(none)",
        )

    def state(self) -> RunState:
        """What a run that begins here knows already: its facts, and what was searched and read."""
        read = [source.url for source in self.sources if source.status != "could not be read"]
        return RunState(
            facts=tuple(_kept(fact) for fact in self.facts),
            marked=self.marked,
            queries=self.queries,
            urls=tuple(read),
        )


def handed_over(
    question: str,
    reason: Reason,
    steps: Sequence[Step],
    evidence: Evidence,
    answer: Answer | None,
    written: str = "",
) -> Handover:
    """The state an attempt leaves. written: an answer of the model's that nothing was cited for."""
    fault = answer.verdict.fault if answer and answer.verdict else None
    cited = {(c.url, c.quote) for c in answer.citations} if answer else set()
    facts = tuple(evidence)
    proof = {f.number for f in facts if (f.page.url, f.passage.text) in cited}
    pointed = {f.number for f in facts if evidence.is_marked(f)}
    text = answer.text if answer else written
    return Handover(
        failure=_failure(reason, fault),
        why=answer.verdict.feedback if answer and answer.verdict else "",
        answer=NOT_FOUND if is_missing(text) else text or NOT_FOUND,
        facts=facts,
        marked=tuple(sorted(proof | pointed)),
        sources=tuple(_sources(steps, {url for url, _ in cited})),
        queries=tuple(dict.fromkeys(_queries(steps))),
        gaps=_gaps(question, facts),
    )


def _failure(reason: Reason, fault: str | None) -> Failure:
    if reason in BY_REASON:
        return BY_REASON[reason]
    return "misdirected" if fault in MISREAD else "incomplete"


def _sources(steps: Iterable[Step], cited: set[str]) -> list[Source]:
    """The pages in the order they were met; the last word on each counts."""
    found: dict[str, Source] = {}
    for step in steps:
        for action in step.actions:
            if action.tool == "fetch_url" and action.error:
                for url in _texts(action.arguments.get("url")):
                    found.setdefault(url, Source(url, url, "could not be read"))
        for note in step.notes:
            read: SourceStatus = "read" if note.text else "nothing useful"
            status: SourceStatus = "cited" if note.url in cited else read
            found[note.url] = Source(note.title, note.url, status)
    return list(found.values())


def _queries(steps: Iterable[Step]) -> list[str]:
    actions = [action for step in steps for action in step.actions if action.tool == "search"]
    return [query for action in actions for query in _texts(action.arguments.get("query"))]


def _texts(value: object) -> list[str]:
    if isinstance(value, (list, tuple)):
        return [str(each) for each in value]
    return [str(value)] if value else []


def _gaps(question: str, facts: Sequence[Fact]) -> tuple[str, ...]:
    """Words of the question, as it writes them, that no fact has."""
    known = {
        w for f in facts for w in words(f"{f.page.title} {f.passage.context} {f.passage.text}")
    }
    told = WORD.findall(question)
    return tuple(dict.fromkeys(word for word in told if set(words(word)) - known))


def _kept(fact: Fact) -> KeptFact:
    passage = fact.passage
    return KeptFact(fact.number, fact.page, passage.position, passage.text, passage.context)
