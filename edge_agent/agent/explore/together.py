"""One tool called several times at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from edge_agent.errors import ToolError
from edge_agent.tools.base import Tool


async def answers(tool: Tool, calls: Iterable[Mapping[str, Any]]) -> list[Any]:
    """What the tool returns for each of these arguments, in their order, as one list.

    Raises ToolError only when no call was answered, and any other error.
    """
    work = (tool.call(arguments) for arguments in calls)
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    for error in errors:
        if len(errors) == len(outcomes) or not isinstance(error, ToolError):
            raise error
    return [each for outcome in outcomes if isinstance(outcome, list) for each in outcome]
