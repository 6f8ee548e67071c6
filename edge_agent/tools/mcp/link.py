"""The seam to a server of tools: what it has, what a call gives back, and when that fails."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from edge_agent.tools.base import Page
from edge_agent.tools.mcp.values import readable

MOST_CHARS = 400_000  # of what one call gives back; the rest is not looked at
VALUE_CHARS = 200  # of an argument in the address of a result


@dataclass(frozen=True, slots=True)
class Remote:
    """A tool as its server tells of it: name and schema as they are there."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    title: str = ""


class Link(Protocol):
    """A connection to one server, made at the first need and again after it was lost."""

    async def tools(self) -> tuple[Remote, ...]:
        """All its tools. Raises ToolError."""
        ...

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> str:
        """What a tool says, as text; raises ToolError for what fails, in time or in kind."""
        ...

    async def changed(self) -> None:
        """Wait until it may have other tools than were listed: it says so, or was begun anew."""
        ...

    async def close(self) -> None:
        """End it, with all calls under way."""
        ...


def result_page(server: str, tool: Remote, arguments: Mapping[str, Any], text: str) -> Page:
    """What a call said, as a page: refined, quoted and cited like any other.

    Its address names the call, so that two calls are two pages and the same call is one.
    """
    values = {key: _short(value) for key, value in arguments.items()}
    url = f"mcp://{quote(server)}/{quote(tool.name)}" + (f"?{urlencode(values)}" if values else "")
    said = ", ".join(values.values())
    name = tool.title or tool.name
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    title = f"{server}: {name} ({said})" if said else f"{server}: {name}"
    said_there = readable(_cut(text))
    return Page(url, title[:VALUE_CHARS], said_there, "text/plain", f"mcp:{server}", now)


def text_of(content: Iterable[Mapping[str, Any]], structured: Any = None) -> str:
    """The content blocks of a result as text; of what is no text, a line that says so.

    structured: the same as a value, which is shown where there is no text.
    """
    parts = [_block(block) for block in content]
    if not any(parts) and structured is not None:
        parts = [json.dumps(structured, ensure_ascii=False, indent=1)]
    return "\n\n".join(part for part in parts if part)


def _block(block: Mapping[str, Any]) -> str:
    kind = block.get("type")
    if kind == "text":
        return str(block.get("text", ""))
    if kind == "resource":
        return _resource(block.get("resource") or {})
    if kind == "resource_link":
        about = block.get("description") or block.get("title") or block.get("name") or ""
        return f"{about} ({block.get('uri')})".strip()
    size = len(str(block.get("data", ""))) * 3 // 4
    return f"({block.get('mimeType') or kind}, {size} bytes: left out, only text is read here)"


def _resource(resource: Mapping[str, Any]) -> str:
    if "text" in resource:
        return f"{resource.get('uri')}\n{resource['text']}"
    return f"({resource.get('mimeType') or 'binary'} at {resource.get('uri')}: left out)"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split())
    return text if len(text) <= VALUE_CHARS else f"{text[: VALUE_CHARS - 1]}…"


def _cut(text: str) -> str:
    if len(text) <= MOST_CHARS:
        return text
    return f"{text[:MOST_CHARS]}\n\n(The rest, {len(text) - MOST_CHARS} characters, was left out.)"
