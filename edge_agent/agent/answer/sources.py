"""Two sources that contradict each other, and which of them is newer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edge_agent.agent.answer.question import Kind
from edge_agent.agent.answer.spans import DATE, NUMBER, Moment, dates, moment, numbers, years
from edge_agent.agent.answer.wording import normalise
from edge_agent.agent.records import Citation
from edge_agent.agent.refine.evidence import Fact
from edge_agent.agent.refine.words import words

SAME_CLAIM = 0.6  # shared words of two sentences, their dates and numbers left out, of all of them
LEAST_SHARED = 3  # words; two names and a verb
AS_OF = re.compile(r"\bas (?:of|at)\s+(?:the\s+)?", re.IGNORECASE)
LABEL = re.compile(
    r"\b(?:updated|modified|revised|published|posted|edited|reviewed)\b(?:\s+(?:on|at|in))?[:\s]+",
    re.IGNORECASE,
)
SPANS = {"year": years, "date": dates, "number": numbers}


@dataclass(frozen=True, slots=True)
class Conflict:
    """A fact that the answer rests on, and one of another page that says otherwise."""

    ours: Fact
    theirs: Fact

    @property
    def newer(self) -> Fact | None:
        """The one whose source states the later date; None where that cannot be told."""
        ours, theirs = stated(self.ours), stated(self.theirs)
        if ours is None or theirs is None or ours == theirs:
            return None
        return self.ours if ours > theirs else self.theirs

    @property
    def remark(self) -> str:
        """What a reader of the answer is told, when it rests on `ours` in the end."""
        theirs = f"“{self.theirs.page.title}” says otherwise: “{self.theirs.passage.text}”"
        if self.newer is self.ours:
            return f"Sources contradict each other; the newer one was preferred. {theirs}"
        return f"Sources contradict each other, and do not say which is newer. {theirs}"

    @property
    def feedback(self) -> str:
        """What the model is told, when `theirs` is to be preferred."""
        title, number = self.theirs.page.title, self.theirs.number
        return f"A newer source, “{title}”, says otherwise in fact [{number}]: go by that one."


def stated(fact: Fact) -> Moment | None:
    """When a fact was so: "as of 2020" in its own words, or the date that its page bears."""
    return _date_after(AS_OF, fact.passage.text) or _date_after(LABEL, fact.page.text)


def _date_after(label: re.Pattern[str], text: str) -> Moment | None:
    """The latest of the dates that stand right behind a label."""
    starts = [match.end() for match in label.finditer(text)]
    found = [date for start in starts if (date := DATE.match(text, start))]
    moments = [when for date in found if (when := moment(date.group()))]
    return max(moments, default=None)


def conflict(
    kind: Kind, answer: str, cited: Sequence[Citation], facts: Sequence[Fact]
) -> Conflict | None:
    """A fact of another page that says of the same thing another date or number.

    Only where the question asks for one: there the rest of the two sentences can be compared.
    """
    if kind not in SPANS:
        return None
    quotes = {(citation.url, citation.quote) for citation in cited}
    ours = [fact for fact in facts if (fact.page.url, fact.passage.text) in quotes]
    holding = [fact for fact in ours if _has(kind, answer, fact)]
    pairs = ((a, b) for a in holding for b in facts if a.page.url != b.page.url)
    return next((Conflict(a, b) for a, b in pairs if _differ(kind, answer, a, b)), None)


def otherwise(
    numbers_of: Sequence[int], cited: Sequence[Citation], facts: Sequence[Fact]
) -> Conflict | None:
    """The conflict between what was cited and facts that were found to contradict it."""
    quotes = {(citation.url, citation.quote) for citation in cited}
    ours = [fact for fact in facts if (fact.page.url, fact.passage.text) in quotes]
    urls = {fact.page.url for fact in ours}
    theirs = [f for f in facts if f.number in numbers_of and f.page.url not in urls]
    return Conflict(ours[0], theirs[0]) if ours and theirs else None


def _has(kind: Kind, answer: str, fact: Fact) -> bool:
    told = {normalise(span) for span in SPANS[kind](answer)}
    return bool(told & {normalise(span) for span in SPANS[kind](fact.passage.text)})


def _differ(kind: Kind, answer: str, ours: Fact, theirs: Fact) -> bool:
    spans = SPANS[kind](AS_OF.sub("", theirs.passage.text))
    return bool(spans) and not _has(kind, answer, theirs) and _same_claim(ours, theirs)


def _same_claim(a: Fact, b: Fact) -> bool:
    one, other = _rest(a), _rest(b)
    shared = len(one & other)
    return shared >= LEAST_SHARED and shared >= SAME_CLAIM * len(one | other)


def _rest(fact: Fact) -> set[str]:
    return set(words(NUMBER.sub(" ", DATE.sub(" ", AS_OF.sub("", fact.passage.text)))))
