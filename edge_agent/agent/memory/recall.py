"""Facts by their numbers: what was folded out of the window is a call away."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from edge_agent.agent.refine.evidence import Evidence, as_text
from edge_agent.errors import ToolError
from edge_agent.tools.base import Tool

MOST_RECALLED = 20
MOST_LINES = 8  # pages named of which facts were folded
NUMBER = re.compile(r"\d+")


def _as_numbers(value: Any) -> Any:
    """Models write 12, "12", "[12]-[15]" or ["[12]"] where a list of numbers is due."""
    values = value if isinstance(value, (list, tuple)) else [value]
    return [number for each in values for number in _numbers(each)]


def _numbers(value: Any) -> Sequence[Any]:
    if not isinstance(value, str):
        return [value]
    found = [int(number) for number in NUMBER.findall(value)]
    is_range = len(found) == 2 and re.fullmatch(r"\W*\d+\W*[-–]\W*\d+\W*", value)
    return range(found[0], min(found[1], found[0] + MOST_RECALLED) + 1) if is_range else found


Numbers = Annotated[
    list[int],
    BeforeValidator(_as_numbers),
    Field(json_schema_extra={"minItems": 1, "maxItems": MOST_RECALLED}),
]


def recall_tool(evidence: Evidence) -> Tool:
    """`recall`, over the evidence of one run."""

    async def recall(ids: Numbers) -> str:
        """Show facts again that were folded away, by their numbers."""
        wanted = {*ids[:MOST_RECALLED]}
        facts = [fact for fact in evidence if fact.number in wanted]
        if not facts:
            raise ToolError(f"recall: the facts are numbered from 1 to {len(evidence)}.")
        return as_text(facts)

    return Tool.of(recall)


def told(numbers: Iterable[int], evidence: Evidence) -> str:
    """One line a page: which of its facts were folded. The pages folded from last come first."""
    titles: dict[str, list[int]] = {}
    wanted = {*numbers}
    for fact in evidence:
        if fact.number in wanted:
            titles.setdefault(fact.page.title, []).append(fact.number)
    lines = [f"{spelled(found)} from “{title}”" for title, found in titles.items()][::-1]
    if len(lines) > MOST_LINES:
        lines = [*lines[:MOST_LINES], f"and facts of {len(lines) - MOST_LINES} other pages"]
    if not lines:
        return ""
    return "\n".join(["Folded to save room; recall(ids) shows facts again:", *lines])


def spelled(numbers: Iterable[int]) -> str:
    """`[3], [5]-[8]` for 3, 5, 6, 7 and 8."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"[{r[0]}]" if len(r) == 1 else f"[{r[0]}]-[{r[-1]}]" for r in runs)
