"""Names and the titles of pages about them."""

from __future__ import annotations

import re

from edge_agent.agent.refine.words import words

ALIKE = 0.6  # of the words of both
SITE = re.compile(r"\s+[-–—|·]\s+")  # between a title and the name of its site
LIKE_A_NAME = re.compile(r"^[\"“'(]?[A-Z0-9À-Þ]")  # behind the first word of a question
ASIDE = re.compile(r"\([^()]*\)")  # "Mercury (planet)"


def is_about(title: str, name: str) -> bool:
    """Whether a title is a name or most of it, beside the name of the site and what is aside."""
    wanted = set(words(without_asides(name)))
    said = set(words(without_asides(SITE.split(title)[0])))
    return bool(wanted and said) and len(said & wanted) >= ALIKE * max(len(said), len(wanted))


def names_others(question: str, name: str) -> bool:
    """Whether a question about a name names something else."""
    rest = question.replace(name, " ")
    return any(LIKE_A_NAME.match(word) for word in rest.split()[1:])


def without_asides(text: str) -> str:
    """The text without what stands in brackets."""
    return ASIDE.sub(" ", text)
