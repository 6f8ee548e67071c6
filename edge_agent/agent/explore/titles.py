"""Names and the titles of pages about them."""

from __future__ import annotations

import re

from edge_agent.agent.answer.described import has_name
from edge_agent.agent.refine.words import words

ALIKE = 0.6  # of the words of both
SITE = re.compile(r"\s+[-–—|·]\s+")  # between a title and the name of its site
ASIDE = re.compile(r"\([^()]*\)")  # "Mercury (planet)"


def is_about(title: str, name: str) -> bool:
    """Whether a title is a name or most of it, beside the name of the site and what is aside."""
    wanted = set(words(without_asides(name)))
    said = set(words(without_asides(SITE.split(title)[0])))
    return bool(wanted and said) and len(said & wanted) >= ALIKE * max(len(said), len(wanted))


def names_others(question: str, name: str) -> bool:
    """Whether a question about a name names something else."""
    _, _, behind_first = question.replace(name, " ").strip().partition(" ")
    return has_name(behind_first)


def without_asides(text: str) -> str:
    """The text without what stands in brackets."""
    return ASIDE.sub(" ", text)
