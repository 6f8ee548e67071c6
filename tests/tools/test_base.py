"""A function with type hints and a docstring is a tool; its schema is derived."""

from __future__ import annotations

import pytest

from edge_agent.errors import ToolError
from edge_agent.tools.base import Tool


async def add(numbers: list[int], name: str = "sum") -> str:
    """Add numbers.

    Gives them a name.
    """
    return f"{name}={sum(numbers)}"


def test_name_description_and_schema_come_from_the_function() -> None:
    tool = Tool.of(add)
    assert (tool.name, tool.description) == ("add", "Add numbers.\n\nGives them a name.")
    assert tool.parameters["type"] == "object"
    assert tool.parameters["properties"] == {
        "numbers": {"type": "array", "items": {"type": "integer"}},
        "name": {"type": "string", "default": "sum"},
    }
    assert tool.parameters["required"] == ["numbers"]
    assert Tool.of(add, "plus").name == "plus"


async def test_a_call_validates_and_runs() -> None:
    assert await Tool.of(add).call({"numbers": [1, "2"]}) == "sum=3"


@pytest.mark.parametrize(
    ("arguments", "where"),
    [({}, "numbers"), ({"numbers": "x"}, "numbers"), ({"numbers": [1, "x"]}, "numbers.1"),
     ({"numbers": [], "sum": 1}, "sum")],
)  # fmt: skip
async def test_a_wrong_argument_is_a_sentence_that_names_it(
    arguments: dict[str, object], where: str
) -> None:
    with pytest.raises(ToolError, match=f"^add: {where}: .*"):
        await Tool.of(add).call(arguments)
