"""The words of an answer: the same one however it is written, none at all, or only an echo."""

from __future__ import annotations

import re
import unicodedata

from edge_agent.agent.refine.words import words

NOT_FOUND = "not found"
NOTHING = frozenset({NOT_FOUND, "unknown", "none", "n/a"})
ARTICLES = frozenset({"a", "an", "the"})
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
DECIMAL = re.compile(r"(?<=\d)[.,](?=\d)")  # what is left of the commas when thousands are joined
JOINERS = re.compile(r"[-‐‑‒–—/]")
DECIMAL_MARK = "\ue000"  # of the private use area: no letter, and no punctuation either


def normalise(answer: str) -> str:
    """One spelling for answers that say the same: "The  Thrift." and "thrift", 3,000 and 3000.

    Case, accents of Latin letters, punctuation, articles and white space do not count; a decimal
    point does. Never empty for an answer that is not.
    """
    text = DECIMAL.sub(DECIMAL_MARK, THOUSANDS.sub("", _plain(answer)))
    text = JOINERS.sub(" ", text)
    letters = "".join(char for char in text if not unicodedata.category(char).startswith("P"))
    kept = [word for word in letters.split() if word not in ARTICLES]
    return " ".join(kept).replace(DECIMAL_MARK, ".") or " ".join(answer.casefold().split())


def _plain(text: str) -> str:
    """Case folded, and Latin letters without their accents: those of other scripts are letters."""
    # letters of mathematics and the like have no small ones until they are plain letters
    letters = unicodedata.normalize("NFKD", text.replace(DECIMAL_MARK, " ")).casefold()
    apart = unicodedata.normalize("NFKD", letters)
    bare = "".join(char for char in apart if not "\u0300" <= char <= "\u036f")
    return unicodedata.normalize("NFKC", bare)


def is_missing(answer: str) -> bool:
    """Whether an answer says that there is none."""
    return answer.casefold().strip(" .") in NOTHING


def echoes(question: str, answer: str) -> bool:
    """Whether an answer only repeats a name of the question, which offers no choice of names."""
    told, asking = set(words(answer)), asking_part(question)
    return bool(told) and told <= set(words(asking)) and " or " not in asking.casefold()


def asking_part(question: str) -> str:
    """The first paragraph with a question mark: others may tell what was asked before."""
    paragraphs = re.split(r"\n\s*\n", question)
    return next((each for each in paragraphs if "?" in each), question)
