"""A tool call while it is being written: its name, and its arguments as they grow."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Protocol

from edge_agent.chat.calls import NotACall, read_calls
from edge_agent.chat.formats import is_plain
from edge_agent.chat.messages import CallPiece, ToolSpec

# The beginnings of a call that need no mending, as a grammar makes models write them.
_JSON_HEAD = re.compile(
    r'\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*(?=\{\s*["}])'
)
_XML_HEAD = re.compile(r"\s*<function=([^>\s]+)>")
_LONGEST_HEAD = 1_000  # characters
_OPEN = re.compile(r"\s*<parameter=([^>\s]+)>\n")
_CLOSE = "</parameter>"
_ENDS = (f"\n{_CLOSE}", _CLOSE, "\n<parameter=", "<parameter=")


class _Arguments(Protocol):
    def told(self, body: str) -> str:
        """The JSON text of the arguments, as far as it is certain."""
        ...


class LiveCall:
    """Feed it the text behind an opening mark, from its beginning, each time longer.

    A call of a tool that takes nothing, or that is written in another way, is not told live.
    """

    def __init__(self, tools: Mapping[str, ToolSpec], make_id: Callable[[], str]) -> None:
        self._tools = tools
        self._make_id = make_id
        self._reader: _Arguments | None = None
        self._is_other = False
        self.id = ""
        self.arguments = ""  # what was told of them

    @property
    def began(self) -> bool:
        """Whether the call was told of."""
        return bool(self.id)

    def feed(self, body: str) -> list[CallPiece]:
        """What can be told now."""
        head = [] if self.began or self._is_other else self._begin(body)
        return [*head, *self._grow(self._reader.told(body) if self._reader else "")]

    def end(self, arguments: str) -> list[CallPiece]:
        """What was not told of the arguments of the complete call."""
        return self._grow(arguments) if self.began else []

    def whole(self, arguments: str) -> str:
        """The arguments as they were told; the given ones where that is not all of an object."""
        try:
            return self.arguments if isinstance(json.loads(self.arguments), dict) else arguments
        except ValueError:
            return arguments

    def _begin(self, body: str) -> list[CallPiece]:
        head = _JSON_HEAD.match(body) or _XML_HEAD.match(body)
        if head is None:
            self._is_other = len(body) > _LONGEST_HEAD
            return []
        name = _unquoted(head[1])
        tool = self._tools.get(name)
        if tool is None or not tool.parameters.get("properties"):
            self._is_other = True
            return []
        self.id = self._make_id()
        is_json = head.re is _JSON_HEAD
        self._reader = _Json(head.end()) if is_json else _Xml(tool, head.end())
        return [CallPiece(self.id, name)]

    def _grow(self, told: str) -> list[CallPiece]:
        piece = told[len(self.arguments) :]
        if not piece or not told.startswith(self.arguments):
            return []
        self.arguments = told
        return [CallPiece(self.id, arguments=piece)]


class _Json:
    """Arguments that are JSON already: every character, up to the brace that ends them."""

    def __init__(self, start: int) -> None:
        self._start = self._at = start
        self._depth = 0
        self._in_string = self._escaped = self._over = False

    def told(self, body: str) -> str:
        while self._at < len(body) and not self._over:
            self._see(body[self._at])
            self._at += 1
        return body[self._start : self._at]

    def _see(self, character: str) -> None:
        if self._in_string:
            closes = character == '"' and not self._escaped
            self._escaped = character == "\\" and not self._escaped
            self._in_string = not closes
        elif character == '"':
            self._in_string = True
        else:
            self._depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(character, 0)
            self._over = self._depth == 0


class _Xml:
    """Arguments between tags: each when it is complete, and text as it grows."""

    def __init__(self, tool: ToolSpec, start: int) -> None:
        self._tool = tool
        self._start = start

    def told(self, body: str) -> str:
        end = max(body.rfind(_CLOSE) + len(_CLOSE), self._start)
        done = self._done(body[:end])
        return done + self._growing(body[end:], bool(done))

    def _done(self, body: str) -> str:
        try:
            calls = read_calls(f"{body}</function>", {self._tool.name: self._tool})
        except NotACall:
            return ""
        return calls[0].arguments_json[:-1] if calls[0].arguments else ""

    def _growing(self, rest: str, follows: bool) -> str:
        opened = _OPEN.match(rest)
        if opened is None or not is_plain((self._tool.parameters["properties"]).get(opened[1])):
            return ""
        text = _certain(rest[opened.end() :])
        shown = json.dumps(text, ensure_ascii=False)[:-1]
        return f"{', ' if follows else '{'}{json.dumps(opened[1], ensure_ascii=False)}: {shown}"


def _certain(text: str) -> str:
    """The text without an end that may turn out to be a tag, or the line end before one."""
    for size in range(min(len(text), max(map(len, _ENDS))), 0, -1):
        if any(end.startswith(text[-size:]) for end in _ENDS):
            return text[:-size]
    return text


def _unquoted(name: str) -> str:
    try:
        return str(json.loads(name)) if name.startswith('"') else name
    except ValueError:
        return ""
