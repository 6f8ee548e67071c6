"""arXiv."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from edge_agent.errors import SearchBusy, SearchError
from edge_agent.store.library.match import words_of
from edge_agent.tools.base import SearchHit
from edge_agent.tools.little_words import STOP
from edge_agent.tools.search.endpoint import ApiClient, Endpoint
from edge_agent.tools.search.rows import line

ARXIV_URL = "https://export.arxiv.org/api/query"
ARXIV_APART_S = 3.0  # between two requests: arXiv's terms of use of its API
MAX_WORDS = 12
SNIPPET_WORDS = 60
_ATOM = "{http://www.w3.org/2005/Atom}"
_VERSION = re.compile(r"v\d+$")


class ArxivSearch:
    """Papers by title, authors and abstract, through arXiv's API, which answers in Atom."""

    name = "arxiv"

    def __init__(self, client: ApiClient, url: str = ARXIV_URL) -> None:
        self._endpoint = Endpoint(client, "arXiv", url)

    async def search(self, query: str, limit: int) -> list[SearchHit]:
        """Raises SearchError."""
        every = words_of(query)
        words = [word for word in every if word not in STOP] or every
        if not words:
            return []
        params = {
            "search_query": " OR ".join(f"all:{word}" for word in words[:MAX_WORDS]),
            "start": "0",
            "max_results": str(limit),
            "sortBy": "relevance",
        }
        reply = await self._endpoint.get(params)
        return [_hit(entry) for entry in _entries(reply.data)][:limit]


def _entries(data: bytes) -> list[ElementTree.Element]:
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:  # Atom has neither, attacks on parsers do
        raise SearchError("arXiv answered with XML that is not Atom.")
    if data.strip().lower().startswith(b"rate exceeded"):
        raise SearchBusy("arXiv is asked too often.", None)
    try:
        feed = ElementTree.fromstring(data)
    except ElementTree.ParseError:
        raise SearchError("arXiv answered with something that is not XML.") from None
    if feed.tag != f"{_ATOM}feed":
        raise SearchError("arXiv answered with XML that is not Atom.")
    entries = feed.findall(f"{_ATOM}entry")
    for entry in entries:
        if "/api/errors" in _text(entry, "id"):
            raise SearchError(f"arXiv refused the query ({_text(entry, 'summary')}).")
    return entries


def _hit(entry: ElementTree.Element) -> SearchHit:
    """The abstract's page, of the newest version."""
    url = _VERSION.sub("", _text(entry, "id")).replace("http://", "https://", 1)
    authors = [_text(author, "name") for author in entry.findall(f"{_ATOM}author")]
    by = ", ".join(authors[:3]) + (" and others" if len(authors) > 3 else "")
    summary = " ".join(_text(entry, "summary").split()[:SNIPPET_WORDS])
    snippet = f"{by}: {summary}" if by else summary
    return SearchHit(
        url, _text(entry, "title"), snippet, "arxiv", _text(entry, "published") or None
    )


def _text(element: ElementTree.Element, name: str) -> str:
    return line(element.findtext(f"{_ATOM}{name}") or "")
