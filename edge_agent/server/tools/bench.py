"""The tools that clients of this machine may run themselves, as llama-server's page does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from edge_agent.errors import ConfigError, NotFound
from edge_agent.tools.base import Tool

Kind: TypeAlias = Literal["builtin", "mcp"]
ALL = "all"
OFF = "Tools are run for clients only where --tools all, or some of their names, was given."


@dataclass(frozen=True, slots=True)
class Listed:
    """A tool and what is told of it. writes: it may change something outside this server."""

    tool: Tool
    kind: Kind
    title: str = ""
    writes: bool = False

    def as_json(self) -> dict[str, Any]:
        """As GET /tools lists it."""
        tool = self.tool
        parameters = {"type": "object", "properties": {}, **tool.parameters}
        function = {"name": tool.name, "description": tool.description, "parameters": parameters}
        return {
            "display_name": self.title or tool.name,
            "tool": tool.name,
            "type": self.kind,
            "permissions": {"write": self.writes},
            "definition": {"type": "function", "function": function},
        }


Foreign: TypeAlias = Callable[[], Iterable[Listed]]


@dataclass(frozen=True, slots=True)
class Bench:
    """own: those that --tools has named, by name. foreign: those of MCP servers, as they are when
    it is called."""

    own: Mapping[str, Listed] = field(default_factory=dict)
    foreign: Foreign = tuple

    @property
    def listed(self) -> dict[str, Listed]:
        """All there are now, by name."""
        theirs = {listed.tool.name: listed for listed in self.foreign()}
        return {**self.own, **theirs, **self.own}

    def find(self, name: str) -> Tool:
        """Raises NotFound."""
        listed = self.listed
        if name not in listed:
            known = ", ".join(listed) or "none"
            raise NotFound(f"There is no tool {name!r} here; there is: {known}.")
        return listed[name].tool


def chosen(wanted: Iterable[str], own: Iterable[Listed], foreign: Foreign = tuple) -> Bench | None:
    """What --tools asks for; None where it was not given. MCP servers' tools come with any of them.

    Raises ConfigError for a name that is no tool's.
    """
    names, by_name = tuple(wanted), {listed.tool.name: listed for listed in own}
    if not names:
        return None
    if unknown := [name for name in names if name != ALL and name not in by_name]:
        raise ConfigError(
            f"--tools: there is no tool {unknown[0]} here; there is {ALL}, {', '.join(by_name)}."
        )
    mine = {n: listed for n, listed in by_name.items() if ALL in names or n in names}
    return Bench(mine, foreign)
