"""Pages go through the store unchanged."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from edge_agent.store.journal import open_journal
from edge_agent.store.pages import PageStore
from edge_agent.tools.base import Page
from edge_agent.tools.stored import keep, page_of

PAGE = Page("https://h.example/x", "Harbour", "Ane built it.", "text/html", "web", "2026-01-01")


def test_a_page_comes_back_as_it_was_read(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path / "journal.sqlite")) as journal:
        pages = PageStore(journal)
        assert page_of(pages.get(keep(pages, PAGE))) == PAGE


def test_a_page_kept_twice_is_one_page(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path / "journal.sqlite")) as journal:
        pages = PageStore(journal)
        assert keep(pages, PAGE) == keep(pages, PAGE)
