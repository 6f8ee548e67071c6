"""Long documents in pages: the same text has the same pages, whichever is asked for first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from edge_agent.errors import FetchError
from edge_agent.tools.base import Page

PAGE_CHARS = 12_000  # about 3,000 tokens of English
_LEAST = 0.5  # of PAGE_CHARS: a page is not cut shorter for a better place
_PLACES = ("\n# ", "\n## ", "\n\n", "\n", ". ", " ")  # where to cut, the best first
_FRAGMENT = re.compile(r"page=(\d{1,5})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """One page of a document's text, counted from 1."""

    text: str
    number: int
    count: int


def parts(text: str) -> list[str]:
    """A text cut at headings, paragraphs, lines or sentences; together they are the text."""
    return list(_cut(text)) or [""]


def _cut(text: str) -> Iterator[str]:
    start = 0
    while len(text) - start > PAGE_CHARS:
        end = _end(text, start)
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]


def _end(text: str, start: int) -> int:
    """Where the page that begins at `start` ends."""
    first, last = start + int(_LEAST * PAGE_CHARS), start + PAGE_CHARS
    for place in _PLACES:
        at = text.rfind(place, first, last)
        if at >= 0:
            return at + (len(place) if place.isspace() or place == ". " else 1)
    return last


def part(text: str, number: int, url: str) -> Part:
    """One page of a text. Raises FetchError when there is no such page."""
    all_parts = parts(text)
    if not 1 <= number <= len(all_parts):
        only = "1 page" if len(all_parts) == 1 else f"{len(all_parts)} pages"
        raise FetchError(f"{url} has {only}: there is no page {number}.", url, "invalid")
    return Part(all_parts[number - 1].strip("\n"), number, len(all_parts))


def split_number(url: str) -> tuple[str, int | None]:
    """An address without its fragment, and the page that a fragment `page=N` names."""
    address, _, fragment = url.partition("#")
    found = _FRAGMENT.fullmatch(fragment)
    return address, int(found[1]) if found else None


def page_url(url: str, number: int) -> str:
    """The address of one page of a document."""
    return f"{url.partition('#')[0]}#page={number}"


def one_page(page: Page, number: int) -> Page:
    """A page of a document as a document of its own. Raises FetchError when there is none."""
    found = part(page.text, number, page.url)
    title = f"{page.title} (page {found.number} of {found.count})"
    more = page_url(page.url, number + 1) if number < found.count else ""
    return replace(page, url=page_url(page.url, number), title=title, text=found.text, more=more)


def told(page: Page, number: int = 1) -> str:
    """One page's text, and how to go on reading when there is more."""
    found = part(page.text, number, page.url)
    if found.count == 1:
        return f"{found.text}\n\n(the next page is {page.more})" if page.more else found.text
    where = f"page {found.number} of {found.count}"
    if found.number == found.count:
        return f"{found.text}\n\n({where})"
    return f"{found.text}\n\n({where}: the next is {page_url(page.url, number + 1)})"
