"""A person at the terminal who is asked before a tool of an MCP server is called."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable

from edge_agent.tools.mcp.approval import NOBODY, Approver, Asked

YES, ALWAYS = ("y", "yes"), ("a", "always")
ARGUMENT_CHARS = 500


def at_the_terminal() -> Approver:
    """Whoever sits there; nobody where the command has no terminal to ask and hear on."""
    return Person() if sys.stdin.isatty() and sys.stderr.isatty() else NOBODY


class Person:
    """Asks on stderr and hears on stdin, one question at a time; "always" holds for the tool."""

    def __init__(self, hear: Callable[[], str] = lambda: sys.stdin.readline()) -> None:
        self._hear = hear
        self._allowed: set[tuple[str, str]] = set()
        self._asking = asyncio.Lock()

    def is_there(self, holder: str) -> bool:
        return True

    async def allows(self, asked: Asked) -> bool:
        key = (asked.server, asked.tool)
        async with self._asking:
            if key in self._allowed:
                return True
            ask(asked)
            said = (await asyncio.to_thread(self._hear)).strip().lower()
            if said in ALWAYS:
                self._allowed.add(key)
            return said in (*YES, *ALWAYS)


def ask(asked: Asked) -> None:
    """The question, on stderr."""
    given = json.dumps(dict(asked.arguments), ensure_ascii=False)[:ARGUMENT_CHARS]
    question = f"Call {asked.tool} of {asked.server} with {given}? [y]es, [a]lways, [N]o: "
    print(question, end="", file=sys.stderr, flush=True)
