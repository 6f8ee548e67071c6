from __future__ import annotations

from edge_agent.agent.explore.scout import Scout
from edge_agent.agent.refine.ranker import Ranker
from edge_agent.tools.base import Page

QUESTION = "Where was the painter of the mural in Orvel station born?"


def page(title: str, text: str) -> Page:
    return Page(f"http://town.example/{title}", title, text, "text/html", "web", "2026-01-01")


ORVEL = page(
    "Orvel station",
    "Orvel station has two platforms. The mural in Orvel station was painted by Lena Tarr. "
    "Trains run to Hollin every hour.",
)
BAKERY = page("A bakery", "Ode Brand sells bread in Garrow.")


def queries(*pages: Page, most: int = 2, question: str = QUESTION) -> list[str]:
    return Scout(Ranker(None), most).queries(question, pages)


def test_the_name_in_the_middle_is_followed_with_what_is_still_open() -> None:
    assert queries(ORVEL, BAKERY)[:2] == ["Lena Tarr", "Lena Tarr painter born"]


def test_names_that_the_question_or_a_page_that_was_read_has_are_not_followed() -> None:
    tarr = page("Lena Tarr", "Lena Tarr was born in Mossby.")
    found = queries(ORVEL, tarr, most=9)
    assert "Mossby" in found
    assert not any(query.startswith(("Lena Tarr", "Orvel")) for query in found)


def test_no_more_names_than_asked_for_are_followed() -> None:
    crowd = page(
        "A list", "Orvel station mural: " + ", ".join(f"Painter Number{i}" for i in "abcdefgh")
    )
    assert len(queries(crowd, most=3)) <= 6
    assert queries(crowd, most=0) == []


def test_nothing_to_read_gives_nothing_to_follow() -> None:
    assert queries() == []
    assert queries(page("Empty", "")) == []
