"""Pages that were read before: a second look with another purpose reads the store, not the web."""

from __future__ import annotations

from edge_agent.store.pages import PageRow, PageStore
from edge_agent.tools.base import Page


class Shelf:
    """The stored pages as the refiner takes them. Both methods raise StoreError.

    since: ISO 8601 UTC; what was stored before it counts as not read, as the page may say something
    else by now. "" takes pages of any age.
    """

    def __init__(self, pages: PageStore, since: str = "") -> None:
        self._pages = pages
        self._since = since

    def page(self, url: str) -> Page | None:
        """The page at `url` (after redirects) as it was read last, or None."""
        row = self._pages.latest(url)
        return None if row is None or row.fetched_at < self._since else _page(row)

    def by_id(self, page_id: str) -> Page:
        """The page of a note or a citation. Raises NotFound."""
        return _page(self._pages.get(page_id))


def _page(row: PageRow) -> Page:
    return Page(row.url, row.title, row.text, row.media_type, row.source, row.fetched_at)
