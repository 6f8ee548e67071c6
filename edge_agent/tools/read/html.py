"""HTML -> title and text: the part that holds the content, with its tables, lists and links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import trafilatura

from edge_agent.tools.read import markup
from edge_agent.tools.read.document import Extracted, decoded, name_of

MAX_GUESS_CHARS = 400_000  # of text: above this only the plain walk is made, which is linear
MAX_GUESS_NODES = 40_000
SHORT_WORDS = 120  # a page with fewer has no clutter that would be worth a lost sentence
BARE_WORDS = 40  # a page of fewer words is made by its scripts, or sends its reader on
LEAST_WORDS = 60  # of sentences and rows that make a page's loss worth a look
_LOST = 0.6  # of the content that can be seen: a guess that leaves out more has guessed wrong
_WHOLE = 0.5  # of what can be seen: a guess of so much in one line has lost its blocks
_SHINGLE = 6  # words by which a line of the page is found again in a guess
_LINE_WORDS = 12  # a line that long which ends like a sentence is content
_ROW_WORDS = 5
_ENDS = re.compile(r"[.!?。！？…][\"'”’»)\]]*$")
_WORD = re.compile(r"\w+")


def read_html(data: bytes, charset: str, url: str) -> Extracted:
    """The content of a page: what trafilatura finds, unless it has lost what it should have kept.

    What can be seen of the part that the page marks as its content, or of all of it, stands in for
    a guess that is empty, that runs all blocks into one line, or that misses most of the sentences.
    """
    source = decoded(data, charset)
    tree = markup.parse(source)
    if tree is None:  # nothing in it, or nested too deep for any tree
        return Extracted(name_of(url), markup.flat(source))
    main = markup.main_part(tree)
    seen = markup.render(tree) if main is None else markup.render(main) or markup.render(tree)
    title = markup.title_of(tree) or name_of(url)
    links = markup.links(tree if main is None else main, tree, url)
    bare = len(seen.split()) < BARE_WORDS
    scripted = bare and markup.is_scripted(tree)
    moved = markup.moved_to(tree, url) if bare else ""
    part = tree if main is None or bare else main
    guessable = len(seen) <= MAX_GUESS_CHARS and markup.is_small(part, MAX_GUESS_NODES)
    text = _content(part, seen) if guessable else seen
    return Extracted(title, text, links, scripted, moved)


def _content(part: markup.Node, seen: str) -> str:
    """What `part` of a page says; its tree is not to be used any more."""
    if len(seen.split()) <= SHORT_WORDS:
        return seen
    markup.strip(part)  # half the time of a guess goes into what nobody sees
    guessed = _guessed(part)
    whole = len(guessed.split()) > _WHOLE * len(seen.split())
    flattened = whole and "\n" in seen and "\n" not in guessed
    return seen if not guessed or flattened or _lost(seen, guessed) > _LOST else guessed


def _guessed(tree: markup.Node) -> str:
    try:
        found: Any = trafilatura.bare_extraction(tree, include_comments=False, favor_precision=True)
    except Exception:  # whatever it trips over in a stranger's page, the plain walk stands in
        return ""
    return "" if found is None or found.body is None else markup.render(found.body)


def _lost(seen: str, guessed: str) -> float:
    """The share of sentences and table rows that can be seen and were not guessed, by words."""
    words = _WORD.findall(guessed)
    kept = {tuple(words[i : i + _SHINGLE]) for i in range(len(words))}
    total = lost = 0
    for line in _sentences(seen):
        own = _WORD.findall(line)
        total += len(own)
        lost += 0 if tuple(own[:_SHINGLE]) in kept else len(own)
    return lost / total if total >= LEAST_WORDS else 0.0


def _sentences(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        count = len(line.split())
        row = line.startswith("| ") and count >= _ROW_WORDS
        if row or (count >= _LINE_WORDS and _ENDS.search(line)):
            yield line
