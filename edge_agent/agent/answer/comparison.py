"""Questions that compare two things: the model reads a value of each, and the values decide.

A small model reads a date of birth reliably, and then calls the later one older.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from edge_agent.agent.answer.question import Asked
from edge_agent.agent.answer.spans import moment, numbers
from edge_agent.agent.answer.wording import is_missing, normalise

By = Literal["earliest", "latest", "least", "most", "same"]

# What is decided by a date where both values are dates; the others by the number.
EARLIEST = r"first|earlier|earliest|older|oldest|elder|eldest|before|sooner|longer ago"
LATEST = r"later|latest|younger|youngest|newer|newest|more recent(?:ly)?|most recent(?:ly)?|after"
LEAST = r"fewer|fewest|less|least|smaller|smallest|shorter|shortest|lower|lowest|nearer|closer"
MOST = (
    r"more(?! recent)|most(?! recent)|larger|largest|bigger|biggest|greater|greatest"
    r"|longer|longest|higher|highest|taller|tallest|farther|further|heavier|heaviest|richer|deeper"
)
WORDS: tuple[tuple[By, str], ...] = (
    ("earliest", EARLIEST),
    ("latest", LATEST),
    ("least", LEAST),
    ("most", MOST),
)
SAME = re.compile(r"\bsame\b", re.IGNORECASE)
VALUE_CHARS = 60
NAMES = ("first", "second")


@dataclass(frozen=True, slots=True)
class Comparison:
    """names: under which the values are asked for, those of the question where it offers them."""

    by: By
    names: tuple[str, str] = NAMES

    @property
    def values(self) -> dict[str, object]:
        """The properties of a JSON schema that ask for the two values."""
        return {name: {"type": "string", "maxLength": VALUE_CHARS} for name in self.names}

    def settle(self, wrote: Mapping[str, object]) -> str:
        """The answer that the values give, "" where they do not say."""
        first, second = (str(wrote.get(name, "")).strip() for name in self.names)
        if not first or not second or is_missing(first) or is_missing(second):
            return ""
        if self.by == "same":
            return "yes" if _alike(first, second) else "no"
        place = _before(first, second, self.by)
        return "" if place is None else self.names[0 if place else 1]


def comparison(question: str, asked: Asked) -> Comparison | None:
    """How the question compares, None where it does not, or in words that are not known here."""
    if asked.kind == "yes_no":
        return Comparison("same") if SAME.search(question) else None
    if asked.kind != "choice":
        return None
    asking = question
    for name in asked.choices:  # "Later" may be the title of a film
        asking = asking.replace(name, " ")
    found = {by for by, words in WORDS if re.search(rf"\b(?:{words})\b", asking, re.IGNORECASE)}
    if len(found) != 1:
        return None
    first, second = asked.choices
    return Comparison(found.pop(), (first, second))


def _alike(first: str, second: str) -> bool:
    """Whether two values say the same, one perhaps with more: Lyon, France and France."""
    one, other = (normalise(value).split() for value in (first, second))
    return set(one) <= set(other) or set(other) <= set(one)


def _before(first: str, second: str, by: By) -> bool | None:
    """Whether the first is what is asked for; None where the values cannot be set in order."""
    moments = moment(first), moment(second)
    if moments[0] and moments[1]:
        n_known = min(_known(moments[0]), _known(moments[1]))
        one, other = moments[0][:n_known], moments[1][:n_known]
        earliest = by in ("earliest", "least")
        return None if one == other else (one < other) == earliest
    amounts = _amount(first), _amount(second)
    if amounts[0] is None or amounts[1] is None or amounts[0] == amounts[1]:
        return None
    # of ages the older is the larger one, though it was born earlier
    return (amounts[0] > amounts[1]) == (by in ("most", "earliest"))


def _known(date: tuple[int, int, int]) -> int:
    return 3 if date[2] else 2 if date[1] else 1


def _amount(text: str) -> float | None:
    digits = [number for number in numbers(text) if re.fullmatch(r"[\d.,]+", number)]
    try:
        return float(digits[0].replace(",", "")) if digits else None
    except ValueError:
        return None
