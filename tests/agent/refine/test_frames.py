"""What the pages of a site say around their own text."""

from __future__ import annotations

from edge_agent.agent.refine.frames import without_frames
from edge_agent.tools.base import Page

TAGLINE = "From the Harbour Wiki, free for all."


def pages(*texts: str, host: str = "h") -> list[Page]:
    return [
        Page(f"http://{host}/{i}", str(i), text, "text/html", "web", "2026-01-01T00:00:00Z")
        for i, text in enumerate(texts)
    ]


def left(*given: Page) -> list[list[str]]:
    return [[passage.text for passage in passages] for passages in without_frames(given)]


def framed(*texts: str) -> list[str]:
    return [f"{TAGLINE}\n\n{text}" for text in texts]


def test_what_stands_on_every_page_of_a_site_is_left_out() -> None:
    own = ["The Thrift is a smack.", "Ane Pollock built her.", "She sank in 1871."]
    assert left(*pages(*framed(*own))) == [[text] for text in own]


def test_what_two_pages_say_is_told_of_both() -> None:
    both = "She was born in Mossby."
    assert left(*pages(both, both)) == [[both], [both]]
    others = pages("One.", "Two.", "Three.", "Four.", host="h")
    assert left(*pages(both, both, host="h"), *others)[:2] == [[both], [both]]


def test_other_sites_may_say_the_same() -> None:
    said = "The Thrift sank in 1871."
    given = [pages(said, host=host)[0] for host in ("a", "b", "c", "d")]
    assert left(*given) == [[said]] * 4


def test_what_some_of_many_pages_of_a_site_say_is_their_own() -> None:
    some = ["She was built by Ane Pollock."] * 3
    rest = [f"Page {i} is about a harbour." for i in range(5)]
    assert left(*pages(*some, *rest)) == [[text] for text in [*some, *rest]]


def test_what_is_left_keeps_its_place_on_the_page() -> None:
    given = pages(*framed("One.", "Two.", "Three."))
    (passage,) = without_frames(given)[0]
    assert passage.position == 1
