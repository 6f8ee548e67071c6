"""Pages as tools return them, into the page store and back."""

from __future__ import annotations

from edge_agent.store.pages import PageRow, PageStore
from edge_agent.tools.base import Page


def keep(pages: PageStore, page: Page) -> str:
    """Put a page into the store, where it mostly is already, and give its id. Raises StoreError."""
    return pages.put(
        url=page.url,
        title=page.title,
        text=page.text,
        media_type=page.media_type,
        source=page.source,
        fetched_at=page.fetched_at,
    )


def page_of(row: PageRow) -> Page:
    """The page as it was read."""
    return Page(row.url, row.title, row.text, row.media_type, row.source, row.fetched_at)
