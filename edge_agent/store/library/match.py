"""Any text as an FTS5 expression that cannot fail."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

MAX_TERMS = 48  # of one expression: each is a list of documents to go through


def words_of(text: str) -> list[str]:
    """What FTS5's unicode61 takes for words: runs of letters, numbers and marks, in lower case."""
    kept = "".join(
        char if unicodedata.category(char)[0] in "LNM" else " "
        for char in unicodedata.normalize("NFC", text)
    )
    return kept.lower().split()


def any_of(words: Iterable[str], titles: Iterable[Sequence[str]] = ()) -> str:
    """An expression that matches a document with any of the words, or with a title that holds any
    of these runs of words; "" for none.

    Each is quoted and nothing but letters, numbers and marks, so it cannot act as an operator.
    BM25 counts a run as a term of its own, which is rare and so weighs much.
    """
    terms = [f'"{word}"' for word in words]
    terms += [f'title : "{" ".join(run)}"' for run in titles]
    return " OR ".join(list(dict.fromkeys(terms))[:MAX_TERMS])
