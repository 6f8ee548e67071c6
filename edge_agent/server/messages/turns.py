"""From Anthropic's turns of blocks to the messages of a chat."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from edge_agent.chat.messages import Message, Role, ToolCall
from edge_agent.errors import NotSupported, RequestError
from edge_agent.server.completions.request import split_prefill
from edge_agent.server.messages.schemas import Block, Content, Turn

ALLOWED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "user": frozenset({"text", "tool_result"}),
        "assistant": frozenset({"text", "thinking", "redacted_thinking", "tool_use"}),
        "system": frozenset({"text"}),
        "tool_result": frozenset({"text"}),
    }
)
KNOWN = frozenset().union(*ALLOWED.values())
# Claude Code begins its system text with a line that holds a checksum of the request. It says
# nothing to a model, but new each time it would keep the prompt from being found in the cache.
_CHECKSUM = re.compile(r"^(x-anthropic-billing-header:[^\n]*?)\bcch=[0-9a-fA-F]+;")


def messages_of(turns: Sequence[Turn], system: Content | None) -> tuple[tuple[Message, ...], str]:
    """The conversation and the beginning of its answer, which a last assistant turn is.

    No turns at all are one empty one of the user, as in llama-server. Raises RequestError, and
    NotSupported for blocks that are not text.
    """
    said = [m for index, turn in enumerate(turns) for m in _turn(turn, f"messages[{index}]")]
    opened = [Message("system", _CHECKSUM.sub(r"\1", _text(system, "system")))] if system else []
    return split_prefill(_merged([*opened, *said]) if turns else [*opened, Message("user")])


def _turn(turn: Turn, where: str) -> list[Message]:
    if isinstance(turn.content, str):
        return [Message(turn.role, turn.content)]
    blocks = _checked(turn.content, turn.role, f"{where}.content")
    if turn.role == "assistant":
        return [_assistant(blocks)]
    # results answer the calls of the turn before, so they stand before what the user adds
    results = [_result(block, place) for block, place in blocks if block.type == "tool_result"]
    texts = [block.text or "" for block, _ in blocks if block.type == "text"]
    return [*results, *([Message(turn.role, "\n".join(texts))] if texts or not results else [])]


def _assistant(blocks: Iterable[tuple[Block, str]]) -> Message:
    """Text and thoughts are what the model wrote, in pieces: nothing is put between them."""
    calls, texts, thoughts = [], [], []
    for block, place in blocks:
        if block.type == "tool_use":
            calls.append(_call(block, place))
        texts.append(block.text or "")
        thoughts.append(block.thinking or "")
    return Message("assistant", "".join(texts), "".join(thoughts) or None, tuple(calls))


def _call(block: Block, where: str) -> ToolCall:
    if not block.name:
        raise RequestError(f"{where}.name: this field is required.", f"{where}.name")
    arguments = json.dumps(block.input or {}, ensure_ascii=False)
    return ToolCall(block.id or "", block.name, arguments)


def _result(block: Block, where: str) -> Message:
    text = _text(block.content, f"{where}.content", "tool_result")
    shown = f"Error: {text}" if block.is_error else text
    return Message("tool", shown, tool_call_id=block.tool_use_id)


def _text(content: Content | None, where: str, inside: str = "system") -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(block.text or "" for block, _ in _checked(content, inside, where))


def _checked(blocks: Sequence[Block], inside: str, where: str) -> list[tuple[Block, str]]:
    """The blocks, each with its place; only those that may stand there pass."""
    placed = [(block, f"{where}[{index}]") for index, block in enumerate(blocks)]
    for block, place in placed:
        _check(block, inside, place)
    return placed


def _check(block: Block, inside: str, place: str) -> None:
    if block.type == "image":
        raise NotSupported(f"{place}: image input is not supported: send text only.", place)
    if block.type not in KNOWN:
        raise NotSupported(f"{place}: {block.type} is not supported: send text only.", place)
    if block.type not in ALLOWED[inside]:
        raise RequestError(f"{place}: a {block.type} block does not belong into {inside}.", place)
    if block.type in ("text", "thinking") and getattr(block, block.type) is None:
        field = f"{place}.{block.type}"
        raise RequestError(f"{field}: this field is required.", field)


def _merged(messages: Iterable[Message]) -> list[Message]:
    """Turns of one side that follow each other become one, as Anthropic has it."""
    merged: list[Message] = []
    for message in messages:
        if merged and _follows(merged[-1].role, message):
            merged[-1] = _together(merged[-1], message)
        else:
            merged.append(message)
    return merged


def _follows(role: Role, message: Message) -> bool:
    return message.role == role and role in ("user", "assistant")


def _together(first: Message, second: Message) -> Message:
    return replace(
        first,
        content="\n\n".join(text for text in (first.content, second.content) if text),
        thought="\n\n".join(t for t in (first.thought, second.thought) if t) or None,
        tool_calls=first.tool_calls + second.tool_calls,
    )
