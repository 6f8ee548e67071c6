"""The checks of an answer that need no model. Each says what is wrong, or nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge_agent.agent.answer.claims import claims, is_long
from edge_agent.agent.answer.question import Asked, Kind
from edge_agent.agent.answer.spans import DATE, MONTH, NUMBER, dates
from edge_agent.agent.answer.verdict import Fault, Verdict
from edge_agent.agent.answer.wording import echoes, is_missing, normalise
from edge_agent.agent.records import Citation
from edge_agent.agent.refine.evidence import Fact
from edge_agent.agent.refine.words import STOP_WORDS, words

FIGURE = re.compile(r"\d+(?:[.,:]\d+)*")
FIGURE_AND_UNIT = re.compile(r"(\d+(?:[.,:]\d+)*)\s?([A-Za-z°µ%]\w*)?")
UNIT_REACH = 3  # words after a number among which its unit is looked for: "18 competitive Oscars"
TIMES = re.compile(
    rf"\d|{MONTH}|\b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|spring|summer|autumn|winter"
    r"|century|decade|year|month|week|day|morning|evening|night|before|after|during|until|since"
    r"|ago|today|now|never|christmas|easter|present)s?\b",
    re.IGNORECASE,
)
COUNTED = re.compile(r"\b(?:no|once|twice|half|several|dozens?|hundreds)\b", re.IGNORECASE)
PARTS = re.compile(r"\s*[,;/&]\s*|\s+and\s+")
ASKED_FOR: dict[Kind, str] = {
    "yes_no": "yes or no",
    "choice": "one of the names it offers",
    "year": "a year",
    "date": "a date or time",
    "number": "a number",
    "person": "a person or group",
    "place": "a place",
    "free": "more than yes or no",
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """An answer to be checked, with what it is checked against: every fact of the run."""

    question: str
    asked: Asked
    text: str
    citations: Sequence[Citation]
    facts: Sequence[Fact]


def check(candidate: Candidate) -> Verdict:
    """The first fault of an answer, found without a model."""
    for fault, find in CHECKS.items():
        if feedback := find(candidate):
            return Verdict(fault, feedback)
    return Verdict()


def _missing(candidate: Candidate) -> str:
    absent = is_missing(candidate.text) or not candidate.text.strip()
    return "There is no answer yet." if absent else ""


def _wrong_kind(candidate: Candidate) -> str:
    asked, text = candidate.asked, candidate.text
    if is_long(text) or FITS[asked.kind](asked, text):
        return ""
    return f"“{text}” does not fit: the question asks for {ASKED_FOR[asked.kind]}."


def _echo(candidate: Candidate) -> str:
    if candidate.asked.kind in ("yes_no", "choice"):
        return ""
    repeats = echoes(candidate.question, candidate.text)
    return f"“{candidate.text}” only repeats the question." if repeats else ""


def _unstated(candidate: Candidate) -> str:
    text = candidate.text
    if candidate.asked.kind in ("yes_no", "choice"):
        return ""  # such an answer follows from facts and stands in the question
    if is_long(text):
        carried = [c for c in claims(text, candidate.citations, candidate.facts) if c.citations]
        return "" if carried else "No fact says what the answer says."
    known = set(words(candidate.question))  # a sentence takes its words up again
    bags = [_bag(fact) | known for fact in candidate.facts]
    parts = [text] if _stands(text, bags) else PARTS.split(text)
    absent = next((part for part in parts if not _stands(part, bags)), "")
    return f"No fact has the words “{absent}”." if absent else ""


def _number(candidate: Candidate) -> str:
    """Numbers are copied with the unit that stands behind them, never computed or converted."""
    texts = [_whole(fact) for fact in candidate.facts]
    for figure, unit in FIGURE_AND_UNIT.findall(candidate.text):
        if not any(_has_figure(text, figure, unit) for text in texts):
            told = f"{figure} {unit}".strip()
            return f"No fact has “{told}”: copy numbers and units as they stand."
    return ""


def _unquoted(candidate: Candidate) -> str:
    return "" if candidate.citations else "No fact was named that proves the answer."


def _misquoted(candidate: Candidate) -> str:
    pages = {(fact.page.url, fact.page.text) for fact in candidate.facts}
    for citation in candidate.citations:
        if not any(citation.url == url and citation.quote in text for url, text in pages):
            return f"“{citation.quote}” does not stand on the page it is quoted from."
    return ""


CHECKS: dict[Fault, Callable[[Candidate], str]] = {
    "missing": _missing,
    "wrong_kind": _wrong_kind,
    "echo": _echo,
    "unstated": _unstated,
    "number": _number,
    "unquoted": _unquoted,
    "misquoted": _misquoted,
}


def _is_yes_or_no(text: str) -> bool:
    return normalise(text).split()[0] in ("yes", "no")


def _is_choice(asked: Asked, text: str) -> bool:
    told = set(normalise(text).split())
    offered = [set(normalise(choice).split()) for choice in asked.choices]
    return any(told <= choice or choice <= told for choice in offered)


def _is_named(asked: Asked, text: str) -> bool:
    """Whether something is left that may be a name when dates and numbers are taken away."""
    left = NUMBER.sub("", DATE.sub("", text))
    return any(char.isalpha() for char in left) and not _is_yes_or_no(text)


FITS: dict[Kind, Callable[[Asked, str], bool]] = {
    "yes_no": lambda asked, text: _is_yes_or_no(text),
    "choice": _is_choice,
    "year": lambda asked, text: any(char.isdigit() for char in text),
    "date": lambda asked, text: bool(dates(text) or TIMES.search(text)),
    "number": lambda asked, text: bool(NUMBER.search(text) or COUNTED.search(text)),
    "person": _is_named,
    "place": _is_named,
    "free": lambda asked, text: not (asked.opened and normalise(text) in ("yes", "no")),
}


def _whole(fact: Fact) -> str:
    """A fact with what it stands under."""
    return f"{fact.page.title} {fact.passage.context} {fact.passage.text}"


def _bag(fact: Fact) -> set[str]:
    return set(words(_whole(fact)))


def _stands(text: str, bags: Sequence[set[str]]) -> bool:
    told = set(words(text))
    return any(told <= bag for bag in bags)


def _has_figure(text: str, figure: str, unit: str) -> bool:
    for match in FIGURE.finditer(text):
        if match.group() == figure:
            behind = re.findall(r"[A-Za-z°µ%]\w*", text[match.end() :])[:UNIT_REACH]
            near = unit.casefold() in STOP_WORDS or re.fullmatch(MONTH, unit)
            if not unit or near or _same_word(unit, behind):
                return True
    return False


def _same_word(unit: str, behind: Sequence[str]) -> bool:
    told = unit.casefold().removesuffix("s")
    return any(word.casefold().removesuffix("s") == told for word in behind)
