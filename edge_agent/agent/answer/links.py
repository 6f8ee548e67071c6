"""The links in an answer: one that no tool returned is made up, and taken out."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

from edge_agent.agent.refine.evidence import Fact

LINK = re.compile(
    r"(?:https?|ftp)://[^\s<>\"“”]{1,2000}"
    r"|(?<![\w@.])www\.[^\s<>\"“”]{1,2000}"
    r"|(?<![\w@./-])(?:[a-z0-9-]+\.)+[a-z]{2,12}/[^\s<>\"“”]{0,2000}",
    re.IGNORECASE,
)
TITLED = re.compile(r"!?\[([^\[\]]*)\]\(\s*<?([^\s<>]{1,2000}?)>?(?:\s+\"[^\"]{0,300}\")?\s*\)")
TRAILING = ".,;:!?'’*_`"
CLOSING = {")": "(", "]": "[", "}": "{"}
LEFT_EMPTY = re.compile(r"\(\s*\)|\[\s*\]|<\s*>|“\s*”|\"\s*\"")
SPACES = re.compile(r"[ \t]{2,}|[ \t]+(?=[.,;:!?)\n]|$)")


def links(text: str) -> list[str]:
    """The links of a text, as they stand there, without the marks that close the sentence."""
    return [_whole(match.group()) for match in LINK.finditer(text)]


def returned(facts: Iterable[Fact]) -> set[str]:
    """Every link that the pages of these facts had: their own, and those in their text."""
    pages = {fact.page.url: fact.page for fact in facts}
    return {link for page in pages.values() for link in (page.url, *links(page.text))}


def without_made_up(text: str, known: Collection[str]) -> str:
    """The text without the links that are not among the known ones.

    Of a titled link, `[title](link)`, the title stays. A known link stays as it was written, and a
    text without made up links is returned as it is.
    """
    keys = {_key(link) for link in known}
    # taking one link out may put another together
    while (less := _once_without(text, keys)) != text:
        text = less
    return text


def _once_without(text: str, keys: set[str]) -> str:
    def title_of(match: re.Match[str]) -> str:
        made_up = LINK.match(match[2]) and _key(match[2]) not in keys
        return match[1] if made_up else match[0]

    def kept(match: re.Match[str]) -> str:
        link = _whole(match[0])
        return match[0] if _key(link) in keys else match[0][len(link) :]

    less = LINK.sub(kept, TITLED.sub(title_of, text))
    return SPACES.sub(_space, LEFT_EMPTY.sub("", less)).strip() if less != text else text


def _space(match: re.Match[str]) -> str:
    return " " if len(match[0]) > 1 and match.end() < len(match.string) else ""


def _whole(link: str) -> str:
    """A link without what closes the sentence or the brackets around it."""
    while link and (link[-1] in TRAILING or link.count(link[-1]) > _opened(link)):
        link = link[:-1]
    return link


def _opened(link: str) -> int:
    """How often the closing bracket at the end was opened; any other end may stand there."""
    opening = CLOSING.get(link[-1])
    return link.count(opening) if opening else len(link)


def _key(link: str) -> str:
    """One spelling for the ways to write a link: no scheme, no www, no fragment, no last slash."""
    text = _whole(link.strip())
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
    except ValueError:  # brackets that are no IPv6 address
        return text
    host = parts.netloc.casefold().removeprefix("www.")
    query = f"?{parts.query}" if parts.query else ""
    return f"{host}{parts.path.rstrip('/')}{query}"
