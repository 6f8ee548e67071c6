"""Where something that begins like a tool call ends."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from edge_agent.chat.formats import CALL_CLOSE, CALL_OPEN

Kind: TypeAlias = Literal["call", "function", "fence", "bare"]

FENCE = "```"
FUNCTION_OPEN = "<function="
_FUNCTION_CLOSE = "</function>"
_CALL_FENCES = ("", "json", "tool_call", "tool_code", "xml")
_FENCE_HEAD = re.compile(r"```([a-z_]{0,12})[ \t]*(\n\s*)?([^\n])?")
_LONGEST_HEAD = 64  # characters
_EDGE = re.compile(f"{CALL_CLOSE}|{CALL_OPEN}")
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|"|[{\[]|[}\]]', re.S)


@dataclass(frozen=True, slots=True)
class Span:
    """`body` is what may be a call, `end` where the text after it begins.

    closed: the closing mark was there; otherwise the text ended first.
    """

    body: str
    end: int
    closed: bool


def opener_of(kind: Kind, held: str) -> str:
    """The mark a candidate begins with, to be kept as text when it is no call."""
    marks = {"call": CALL_OPEN, "function": FUNCTION_OPEN, "fence": FENCE, "bare": held[:1]}
    return marks[kind]


def span_of(kind: Kind, held: str, end: bool) -> Span | Literal[False] | None:
    """The candidate that `held` begins with: its span, None to wait for more, False for no call.

    `end` says that no more will come. The answer is the same for every way the text arrived.
    """
    if kind == "call":
        return _call(held, end)
    if kind == "function":
        return _closed_by(held, _FUNCTION_CLOSE, 0, end, keep=True)
    return _fence(held, end) if kind == "fence" else _bare(held, end)


def _closed_by(held: str, mark: str, start: int, end: bool, keep: bool = False) -> Span | None:
    at = held.find(mark, start)
    if at >= 0:
        return Span(held[start : at + len(mark) * keep], at + len(mark), closed=True)
    return Span(held[start:], len(held), closed=False) if end else None


def _call(held: str, end: bool) -> Span | None:
    start = len(CALL_OPEN)
    edges = list(_EDGE.finditer(held, start))
    whole = next((e for e in edges if _is_whole(held[start : e.start()])), None)
    edge = whole or (edges[0] if end and edges else None)
    if edge:
        closes = edge[0] == CALL_CLOSE
        return Span(held[start : edge.start()], edge.end() if closes else edge.start(), closed=True)
    return Span(held[start:], len(held), closed=False) if end else None


def _is_whole(body: str) -> bool:
    """Whether a closing mark after `body` is no part of a string or of code in it."""
    if FUNCTION_OPEN in body:
        return _FUNCTION_CLOSE in body
    if "<code>" in body:
        return "</code>" in body
    return all(token[0] != '"' for token in _JSON_TOKEN.finditer(body))


def _fence(held: str, end: bool) -> Span | Literal[False] | None:
    head = _FENCE_HEAD.match(held)
    if head is None or (head[2] is None and head[3] is not None):
        return False
    if head.end() > _LONGEST_HEAD or (head[3] is None and end):
        return False
    if head[3] is None:
        return None
    if head[1] not in _CALL_FENCES or head[3] not in "{[<":
        return False
    return _closed_by(held, FENCE, head.start(3), end)


def _bare(held: str, end: bool) -> Span | None:
    depth = 0
    for token in _JSON_TOKEN.finditer(held):
        if token[0] == '"':  # a string that has not ended yet
            break
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token[0], 0)
        if depth == 0 and token[0] in ("}", "]"):
            return Span(held[: token.end()], token.end(), closed=True)
    return Span(held, len(held), closed=False) if end else None
