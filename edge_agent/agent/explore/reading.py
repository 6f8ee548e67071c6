"""What can be made of text that the chat's parser left as text: answers and calls gone astray."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from edge_agent.chat.calls import Call as WrittenCall
from edge_agent.chat.calls import NotACall, read_calls
from edge_agent.chat.candidate import span_of
from edge_agent.chat.formats import CALL_CLOSE, CALL_OPEN
from edge_agent.chat.messages import ToolSpec

# every spelling of the answer's marks that models were seen to write, opening or closing
_MARK = re.compile(
    r"<\s*(?P<close>/?)\s*(?:final[ _-]?)?answer\s*/?\s*[>:]|\[(?P<bracket>/?)answer\]"
    r"|(?<![\w<])answer>",
    re.IGNORECASE,
)
_BOXED = re.compile(r"\\boxed\{((?:[^{}]|\{[^{}]*\})*)\}")
_SAID = re.compile(r"^\W*(?:the\s+)?final answer\W*(?:is\b)?[\s:*]*(.+)$", re.IGNORECASE | re.M)
_CALL = re.compile(f"{CALL_OPEN}(.*?)(?:{CALL_CLOSE}|(?={CALL_OPEN})|\\Z)", re.DOTALL)
_FENCE = re.compile(r"```[a-z_]*\s*\n(.*?)(?:```|\Z)", re.DOTALL)
_OBJECT = re.compile(r"[{\[]\s*\{?\s*[\"']?(?:name|tool|tool_name|function|action)[\"']?\s*:")
_MOST_OBJECTS = 8  # places of a text where a call is looked for


def tagged_answer(text: str) -> str:
    """What stands between the answer's tags, however they are spelled and closed; else ""."""
    marks = list(_MARK.finditer(text))
    if not marks:
        return ""
    if len(marks) == 1 and _closes(marks[0]):
        return text[: marks[0].start()].strip().rsplit("\n", 1)[-1].strip()
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    pieces = [text[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True)]
    closed = [piece for piece in pieces[:-1] if piece]
    opened = [pieces[-1]] if not _closes(marks[-1]) and pieces[-1] else []
    return (opened or closed or [""])[-1]


def _closes(mark: re.Match[str]) -> bool:
    return bool(mark["close"] or mark["bracket"])


def said_answer(text: str) -> str:
    """An answer without tags that says it is the final one; else ""."""
    boxed = _BOXED.findall(text)
    said = _SAID.findall(text)
    found = boxed[-1] if boxed else said[-1] if said else ""
    return found.strip(" *_`").strip()


def stray_calls(text: str, tools: Mapping[str, ToolSpec]) -> list[WrittenCall]:
    """The calls in a text: between marks, in a fence, or bare behind some prose.

    Those that cannot be read are left out.
    """
    for bodies in (_CALL.findall(text), _FENCE.findall(text), list(_objects(text))):
        found = [call for body in bodies for call in _read(body, tools)]
        if found:
            return found
    return []


def _objects(text: str) -> Iterator[str]:
    """JSON objects that look like calls, each from its first brace."""
    at = 0
    for _ in range(_MOST_OBJECTS):
        start = _OBJECT.search(text, at)
        if start is None:
            return
        span = span_of("bare", text[start.start() :], end=True)
        if not span:
            return
        yield span.body
        at = start.start() + max(span.end, 1)


def _read(body: str, tools: Mapping[str, ToolSpec]) -> list[WrittenCall]:
    try:
        return read_calls(body, tools)
    except NotACall:
        return []
