from __future__ import annotations

from edge_agent.agent.refine.blocks import MAX_CONTEXT_CHARS, blocks

LISTS = """# Ferry

The fare depends on what you bring:

- Dogs travel free.
- Bicycles:
  - folded ones cost 1 mark
  - others cost 2 marks
- Cars cost 9 marks.

Nobody else travels.

- A list of its own.
"""


def under(page: str) -> dict[str, tuple[str, ...]]:
    return {block.text: block.context for block in blocks(page)}


def test_items_stand_under_the_line_that_leads_to_them_and_the_item_they_are_nested_in() -> None:
    found = under(LISTS)
    lead = "The fare depends on what you bring:"
    assert found["Dogs travel free."] == ("Ferry", lead)
    assert found["others cost 2 marks"] == ("Ferry", lead, "Bicycles:")
    assert found["Cars cost 9 marks."] == ("Ferry", lead)
    assert found["A list of its own."] == ("Ferry",)


def test_the_first_row_is_a_row_unless_a_rule_makes_it_a_header() -> None:
    assert list(under("| Built | 1871 |\n| Owner | Pollock |")) == [
        "| Built | 1871 |",
        "| Owner | Pollock |",
    ]
    ruled = under("| Day | Boat |\n|---|:--|\n| Monday | Thrift |")
    assert ruled == {"| Monday | Thrift |": ("| Day | Boat |",)}


def test_a_table_that_is_only_a_header_is_not_lost() -> None:
    assert list(under("| Day | Boat |\n|---|---|")) == ["| Day | Boat |"]


def test_two_tables_do_not_share_a_header() -> None:
    found = under("| A | B |\n|---|---|\n| 1 | 2 |\n\n| C | D |\n|---|---|\n| 3 | 4 |")
    assert found["| 3 | 4 |"] == ("| C | D |",)


def test_a_paragraph_broken_at_a_margin_is_one_block() -> None:
    wrapped = (
        "The lighthouse on the northern skerry was lit for the first\n"
        "time in the winter of 1871, when Ane Pollock was its keeper,\n"
        "and it burned whale oil."
    )
    assert [block.text for block in blocks(f"Title\n\n{wrapped}")] == ["Title", wrapped]


def test_short_lines_stay_lines() -> None:
    assert len(list(blocks("Monday 9-5\nTuesday 9-6\nSunday closed"))) == 3


def test_a_heading_as_long_as_a_book_is_shortened() -> None:
    (block,) = blocks(f"# {'word ' * 100_000}\nIt rained.")
    assert len(block.context[0]) <= MAX_CONTEXT_CHARS
