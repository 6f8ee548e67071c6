from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from edge_agent.errors import ToolError
from edge_agent.tools.python.interpreter import NAME, NOTHING, bare, python_tool, told, tried
from edge_agent.tools.python.sandbox import Caps, NotConfined, Ran, Sandbox
from edge_agent.tools.python.syscalls import PROCESSORS

KNOWN = sys.platform == "linux" and platform.machine() in PROCESSORS
confining = pytest.mark.skipif(not KNOWN, reason="a machine that cannot confine")


@confining
async def test_the_machine_is_tried_before_the_tool_is_there(tmp_path: Path) -> None:
    prison = await tried(tmp_path)
    assert prison.confined.startswith("seccomp, ")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NotConfined, match="Python is off"):
        await tried(tmp_path, Caps(worlds=False, landlock=False))


@confining
async def test_a_call_answers_in_the_words_of_the_training() -> None:
    tool = python_tool(Sandbox())
    assert tool.name == NAME
    assert await tool.call({"code": "print(6 * 7)"}) == "stdout:\n42"
    assert await tool.call({"code": "x = 1"}) == NOTHING
    failed = await tool.call({"code": "print('a')\n1 / 0"})
    assert failed.startswith("stdout:\na\nstderr:\nTraceback")
    assert failed.endswith("ZeroDivisionError: division by zero")
    with pytest.raises(ToolError, match="<code>"):
        await tool.call({})


@pytest.mark.parametrize(
    "written",
    ["print(1)", "```python\nprint(1)\n```", "```\nprint(1)", "<code>\nprint(1)\n</code>"],
)
def test_marks_around_the_code_are_taken_off(written: str) -> None:
    assert bare(written).strip() == "print(1)"


@pytest.mark.parametrize(
    ("ran", "said"),
    [
        (Ran("a\n", "", -9, "time", ""), "stdout:\na\n[PythonInterpreter Error] TimeoutError: "),
        (Ran("a", "", -9, "output", ""), "[PythonInterpreter Error] The output was too long"),
        (Ran("", "", 137, "done", ""), "stopped (it used more time or memory than it may)"),
    ],
)
def test_how_it_ended_is_told(ran: Ran, said: str) -> None:
    assert said in told(ran)
