"""Facts by their numbers."""

from __future__ import annotations

import pytest

from edge_agent.agent.memory.items import of_facts
from edge_agent.agent.memory.recall import MOST_LINES, recall_tool, spelled, told
from edge_agent.agent.refine.evidence import Evidence
from edge_agent.errors import ToolError

from .world import note


@pytest.fixture
def evidence() -> Evidence:
    evidence = Evidence()
    note(evidence, "Pier", ["Ines Hald built it.", "It is 90 m long.", "It is of larch."])
    note(evidence, "Bell", ["It weighs 210 kg."])
    return evidence


async def test_facts_come_back_under_the_title_of_their_page(evidence: Evidence) -> None:
    text = await recall_tool(evidence).call({"ids": [4, 2]})
    assert text == "From “Pier”:\n[2] It is 90 m long.\nFrom “Bell”:\n[4] It weighs 210 kg."
    assert [item.fact for item in of_facts(text)] == [0, 2, 0, 4]


@pytest.mark.parametrize("ids", [2, "2", "[2]", ["[2]"], [2, 2], [2, 99]])
async def test_numbers_may_be_written_as_models_write_them(evidence: Evidence, ids: object) -> None:
    assert await recall_tool(evidence).call({"ids": ids}) == "From “Pier”:\n[2] It is 90 m long."


async def test_a_range_is_all_its_numbers(evidence: Evidence) -> None:
    text = await recall_tool(evidence).call({"ids": "[1]-[3]"})
    assert [item.fact for item in of_facts(text) if item.fact] == [1, 2, 3]
    assert await recall_tool(evidence).call({"ids": "1-999999999"})


async def test_numbers_of_nothing_are_an_error_to_read(evidence: Evidence) -> None:
    for ids in ([99], [], ["none"], {"a": 1}):
        with pytest.raises(ToolError):
            await recall_tool(evidence).call({"ids": ids})


def test_the_tool_says_how_it_is_called(evidence: Evidence) -> None:
    tool = recall_tool(evidence)
    assert tool.name == "recall"
    assert tool.description
    assert tool.parameters["properties"]["ids"]["items"] == {"type": "integer"}


def test_what_was_folded_is_one_line_a_page(evidence: Evidence) -> None:
    assert told([], evidence) == ""
    lines = told([1, 2, 4], evidence).splitlines()
    assert "recall(ids)" in lines[0]
    assert lines[1:] == ["[4] from “Bell”", "[1]-[2] from “Pier”"]
    for i in range(20):
        note(evidence, f"Page {i}", ["A fact."])
    many = told(range(1, 99), evidence).splitlines()
    assert len(many) == MOST_LINES + 2
    assert many[-1] == "and facts of 14 other pages"


def test_runs_of_numbers_are_spelled_as_ranges() -> None:
    assert spelled([8, 3, 5, 6, 7]) == "[3], [5]-[8]"
