from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.agent.refine.passages import MAX_PASSAGE_CHARS, split

PAGE = """# The Lantern

Built in 1871 by Mr. A. Pollock, she sailed for St. Olan. "Was she fast?" She was! Rates: 3.5 knots.

## Timetable

| Day | Boat |
|---|---|
| Monday | Thrift |
| Tuesday | Heron |

- Dogs travel free.
- Bicycles cost 2 marks.
"""


def texts(page: str) -> list[str]:
    return [passage.text for passage in split(page)]


def test_sentences_end_where_a_reader_would_end_them() -> None:
    assert texts(PAGE)[:4] == [
        "Built in 1871 by Mr. A. Pollock, she sailed for St. Olan.",
        '"Was she fast?"',
        "She was!",
        "Rates: 3.5 knots.",
    ]


def test_a_table_row_stands_under_its_heading_and_header_row() -> None:
    row = next(passage for passage in split(PAGE) if "Thrift" in passage.text)
    assert row.text == "| Monday | Thrift |"
    assert row.context == "The Lantern > Timetable > | Day | Boat |"


def test_list_items_are_passages_without_their_marks() -> None:
    assert texts(PAGE)[-2:] == ["Dogs travel free.", "Bicycles cost 2 marks."]


def test_headings_close_those_of_their_level_and_below() -> None:
    page = "# A\n## B\n### C\nx one.\n## D\ny two."
    assert [passage.context for passage in split(page)] == ["A > B > C", "A > D"]


@given(st.text(max_size=3000))
def test_every_passage_stands_literally_on_the_page(page: str) -> None:
    for passage in split(page):
        assert passage.text in page
        assert len(passage.text) <= MAX_PASSAGE_CHARS or passage.text.startswith("|")


@given(st.lists(st.from_regex(r"[A-Z][a-z]{1,8}( [a-z]{1,8}){1,9}\.", fullmatch=True), min_size=1))
def test_nothing_of_a_plain_text_is_lost(sentences: list[str]) -> None:
    joined = " ".join(texts(" ".join(sentences)))
    assert joined.split() == " ".join(sentences).split()


def test_a_wall_of_text_is_cut_at_spaces() -> None:
    wall = "word " * 1000
    assert all(len(text) <= MAX_PASSAGE_CHARS for text in texts(wall))
    assert " ".join(texts(wall)).split() == wall.split()
