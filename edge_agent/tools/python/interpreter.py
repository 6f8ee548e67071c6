"""PythonInterpreter as agentcpm was trained to use it, where the machine can confine it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from edge_agent.errors import ToolError
from edge_agent.tools.base import Tool
from edge_agent.tools.python.sandbox import Caps, NotConfined, Ran, Sandbox

NAME = "PythonInterpreter"
NOTHING = "Finished execution."
TIMED_OUT = "[PythonInterpreter Error] TimeoutError: Execution timed out."
TOO_MUCH = "[PythonInterpreter Error] The output was too long: the rest was left out."
KILLED = "[PythonInterpreter Error] The code was stopped ({})."
SIGNALS = {9: "it used more time or memory than it may", 24: "it used too much processor time"}
HELD = "held"
_FENCE = re.compile(r"\A\s*```[a-z0-9]*\s*\n(.*?)(?:\n```\s*)?\Z", re.DOTALL | re.IGNORECASE)
_CODE = re.compile(r"\A\s*<code>\n?(.*?)(?:</code>\s*)?\Z", re.DOTALL)

# What a prisoner would try first. It says "held" when all of it failed.
ESCAPES = """
import os, socket
open_doors = []
def attempt(name, act):
    try:
        act()
    except (OSError, MemoryError):
        return
    open_doors.append(name)
attempt("the network", lambda: socket.socket())
attempt("other processes", os.fork)
attempt("other programs", lambda: os.execv("/bin/sh", ["sh", "-c", "true"]))
attempt("your files", lambda: open(%r).read())
attempt("signals", lambda: os.kill(os.getppid() or 1, 0))
print("open: " + ", ".join(open_doors) if open_doors else "held")
"""


@dataclass(frozen=True, slots=True)
class Prison:
    """A sandbox that was tried, and what holds it: "seccomp, namespaces, landlock"."""

    sandbox: Sandbox
    confined: str


async def tried(folder: Path, caps: Caps | None = None) -> Prison:
    """A sandbox that has held what would break out of it. Raises NotConfined with the reason.

    folder: a file is put there that must stay unread.
    """
    sandbox = Sandbox(caps)
    with NamedTemporaryFile(dir=folder, prefix=".unread-") as unread:
        ran = await sandbox.run(ESCAPES % unread.name)
    if ran.stdout.strip() != HELD:
        found = ran.stdout.strip() or ran.stderr.strip()[-200:] or f"it ended with {ran.status}"
        raise NotConfined(f"Python is off, because its confinement does not hold: {found}.")
    return Prison(sandbox, ran.confined)


def python_tool(sandbox: Sandbox) -> Tool:
    """The tool. Its code stands behind the arguments of a call (see `chat.calls`)."""

    async def run(code: str = "") -> str:
        """Run Python code, without network and files, and see what it prints."""
        if not code.strip():
            raise ToolError(f"{NAME}: write the code between <code> and </code> inside the call.")
        return told(await sandbox.run(bare(code)))

    return Tool.of(run, NAME)


def bare(code: str) -> str:
    """The code without the marks that models put around it."""
    for mark in (_CODE, _FENCE):
        if match := mark.match(code):
            code = match[1]
    return code


def told(ran: Ran) -> str:
    """What the model reads: the words that its training had."""
    parts = [f"{name}:\n{text}" for name, text in _streams(ran) if text]
    if ran.ended == "time":
        parts.append(TIMED_OUT)
    elif ran.ended == "output":
        parts.append(TOO_MUCH)
    elif why := SIGNALS.get(ran.status - 128 if ran.status > 128 else -ran.status):
        parts.append(KILLED.format(why))
    return "\n".join(parts) or NOTHING


def _streams(ran: Ran) -> tuple[tuple[str, str], ...]:
    return (("stdout", ran.stdout.rstrip("\n")), ("stderr", ran.stderr.rstrip("\n")))
