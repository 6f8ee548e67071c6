"""Whether an answer is right: exact match and token F1 after SQuAD's normalisation.

Rajpurkar et al. 2016, "SQuAD: 100,000+ Questions for Machine Comprehension of Text": lower case, no
punctuation, no articles, single spaces; the best over all expected answers.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class Score:
    """Both between 0 and 1; em is one or the other."""

    em: float
    f1: float


def normalised(text: str) -> str:
    """Lower case, no punctuation, no articles, single spaces."""
    bare = text.lower().translate(PUNCTUATION)
    return " ".join(ARTICLES.sub(" ", bare).split())


def score(answer: str, expected: Iterable[str]) -> Score:
    """The best exact match and the best F1 over the expected answers, each for itself."""
    pairs = [(_em(answer, one), _f1(answer, one)) for one in expected]
    return Score(max((em for em, _ in pairs), default=0.0), max((f1 for _, f1 in pairs), default=0))


def _em(answer: str, expected: str) -> float:
    return float(normalised(answer) == normalised(expected))


def _f1(answer: str, expected: str) -> float:
    """Harmonic mean of precision and recall of words; of two texts without words, equality."""
    said, due = normalised(answer).split(), normalised(expected).split()
    if not said or not due:
        return float(said == due)
    common = sum((Counter(said) & Counter(due)).values())
    return 2 * common / (len(said) + len(due))
