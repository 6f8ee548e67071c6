"""Pages are kept word for word under the hash of what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.errors import NotFound
from edge_agent.store.journal import open_journal
from edge_agent.store.pages import PageStore

URL = "https://isles.example/light"


@pytest.fixture
def pages(tmp_path: Path) -> PageStore:
    return PageStore(open_journal(tmp_path / "journal.db"))


def put(pages: PageStore, text: str, day: int, url: str = URL) -> str:
    return pages.put(
        url=url,
        title="The light",
        text=text,
        media_type="text/html",
        source="web",
        fetched_at=f"2024-05-{day:02}T10:00:00+00:00",
    )


def test_a_page_comes_back_word_for_word(pages: PageStore) -> None:
    text = "# The light\n\n| Keeper | Ilse Vårn |\n\nIt burned “whale oil” – then gas.\n"
    page = pages.get(put(pages, text, 1))
    assert (page.url, page.title, page.text) == (URL, "The light", text)
    assert (page.media_type, page.source) == ("text/html", "web")


def test_the_same_words_have_the_same_id_and_other_words_another(pages: PageStore) -> None:
    first = put(pages, "a", 1)
    assert put(pages, "a", 2) == first
    assert put(pages, "b", 2) != first
    assert put(pages, "a", 2, url=f"{URL}/x") != first


def test_the_latest_reading_of_a_url_wins_and_older_ones_stay(pages: PageStore) -> None:
    old, new = put(pages, "old", 1), put(pages, "new", 2)
    latest = pages.latest(URL)
    assert latest is not None and latest.id == new
    put(pages, "old", 3)
    latest = pages.latest(URL)
    assert latest is not None and (latest.id, latest.fetched_at[8:10]) == (old, "03")
    assert pages.get(new).text == "new"


def test_what_was_never_read_is_not_there(pages: PageStore) -> None:
    assert pages.latest("https://isles.example/none") is None
    with pytest.raises(NotFound):
        pages.get("0123456789abcdef")
