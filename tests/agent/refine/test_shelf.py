from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge_agent.agent.prompts import prompt
from edge_agent.agent.refine.evidence import Evidence
from edge_agent.agent.refine.ranker import Ranker
from edge_agent.agent.refine.refiner import NoteBudget, Refiner
from edge_agent.agent.refine.shelf import Shelf
from edge_agent.errors import NotFound
from edge_agent.store.journal import open_journal
from edge_agent.store.pages import PageStore

from ..fakes import FakeChat, Says

URL = "http://h/thrift"
RAIN = " ".join(f"On day {i} it rained on the quay." for i in range(80))
TEXT = f"The Thrift was built by Ane Pollock. {RAIN} She was sold to Ode Brand for 84 marks."


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[PageStore]:
    with closing(open_journal(tmp_path / "journal.sqlite")) as journal:
        yield PageStore(journal)


def put(pages: PageStore, text: str = TEXT, day: int = 1) -> str:
    when = f"2026-01-0{day}T00:00:00+00:00"
    return pages.put(
        url=URL, title="Thrift", text=text, media_type="text/html", source="web", fetched_at=when
    )


def test_the_shelf_has_what_was_read_last(pages: PageStore) -> None:
    put(pages, "Old words.", 1)
    put(pages, "New words.", 2)
    page = Shelf(pages).page(URL)
    assert page is not None
    assert (page.text, page.title, page.source) == ("New words.", "Thrift", "web")
    assert Shelf(pages).page("http://h/other") is None


def test_what_was_read_too_long_ago_counts_as_not_read(pages: PageStore) -> None:
    put(pages, day=1)
    assert Shelf(pages, since="2026-01-01T00:00:00+00:00").page(URL) is not None
    assert Shelf(pages, since="2026-01-02T00:00:00+00:00").page(URL) is None


def test_a_page_comes_by_its_id(pages: PageStore) -> None:
    assert Shelf(pages).by_id(put(pages)).text == TEXT
    with pytest.raises(NotFound):
        Shelf(pages).by_id("0" * 16)


async def test_a_second_look_with_another_purpose_finds_other_facts(pages: PageStore) -> None:
    put(pages)
    page = Shelf(pages).page(URL)
    assert page is not None
    evidence = Evidence()
    refiner = Refiner(FakeChat([Says()]), Ranker(None), NoteBudget(1, 30, 30), prompt("condense"))
    first = await refiner.refine([page], "who built the Thrift", "", evidence)
    again = await refiner.refine([page], "sold to whom for how many marks", "", evidence)
    assert "Ane Pollock" in first.notes[0].text
    assert "84 marks" in again.notes[0].text
    assert len({fact.number for fact in evidence}) == len(evidence)
