"""Items of a conversation: as they come, as they are kept, and as the messages of a chat."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from edge_agent.chat.messages import Message, Role, ToolCall
from edge_agent.errors import NotFound, NotSupported, RequestError
from edge_agent.server.responses.schemas import (
    ContentPart,
    Input,
    InputCall,
    InputCallOutput,
    InputMessage,
    InputReasoning,
    ItemReference,
    OtherItem,
)

Json = dict[str, Any]
Find = Callable[[str], Json]  # an item by its id, else NotFound
TEXTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text")


def new_id(prefix: str) -> str:
    """`prefix` and 48 random hex digits, which nobody can guess."""
    return f"{prefix}_{secrets.token_hex(24)}"


def items_of(given: Input | None, find: Find) -> list[Json]:
    """The items of an input as they are kept: every one with an id, texts in parts.

    A reference is answered with what `find` has. Raises RequestError and NotSupported.
    """
    if isinstance(given, str):
        given = [InputMessage(role="user", content=given)]
    return [_item(item, f"input[{index}]", find) for index, item in enumerate(given or ())]


def _item(item: Any, where: str, find: Find) -> Json:
    if isinstance(item, OtherItem):
        raise NotSupported(f"{where}.type: {item.type} is not supported here.", f"{where}.type")
    if isinstance(item, ItemReference):
        return _found(item.id, where, find)
    if isinstance(item, InputMessage):
        return _message(item, where)
    if isinstance(item, InputReasoning):
        return _reasoning(item, where)
    common = {"type": item.type, "call_id": item.call_id, "status": item.status or "completed"}
    if isinstance(item, InputCall):
        call = {"name": item.name, "arguments": item.arguments}
        return {"id": item.id or new_id("fc"), **common, **call}
    assert isinstance(item, InputCallOutput)
    output = _text(item.output, f"{where}.output")
    return {"id": item.id or new_id("fco"), **common, "output": output}


def _found(item_id: str, where: str, find: Find) -> Json:
    try:
        return find(item_id)
    except NotFound as error:
        raise RequestError(f"{where}.id: {error}", f"{where}.id") from None


def _message(item: InputMessage, where: str) -> Json:
    kind = "output_text" if item.role == "assistant" else "input_text"
    part: Json = {"type": kind, "text": _text(item.content, f"{where}.content")}
    if kind == "output_text":
        part["annotations"] = []
    return {
        "id": item.id or new_id("msg"),
        "type": "message",
        "role": item.role,
        "status": item.status or "completed",
        "content": [part],
    }


def _reasoning(item: InputReasoning, where: str) -> Json:
    summary = _text(item.summary or [], f"{where}.summary")
    content = _text(item.content or [], f"{where}.content")
    return {
        "id": item.id or new_id("rs"),
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": summary}] if summary else [],
        "content": [{"type": "reasoning_text", "text": content}] if content else [],
    }


def _text(content: str | Sequence[ContentPart], where: str) -> str:
    if isinstance(content, str):
        return content
    return "".join(_part(part, f"{where}[{n}]") for n, part in enumerate(content))


def _part(part: ContentPart, where: str) -> str:
    if part.type not in (*TEXTS, "refusal"):
        raise NotSupported(f"{where}: {part.type} is not supported: send text only.", where)
    field = "refusal" if part.type == "refusal" else "text"
    text: str | None = getattr(part, field)
    if text is None:
        raise RequestError(f"{where}.{field}: this field is required.", f"{where}.{field}")
    return text


def check_outputs(items: Iterable[Json]) -> None:
    """Raises RequestError for the output of a call that nobody made."""
    called: set[str] = set()
    for item in items:
        if item["type"] == "function_call":
            called.add(item["call_id"])
        elif item["type"] == "function_call_output" and item["call_id"] not in called:
            raise RequestError(
                f"input: there is no function_call with the call_id {item['call_id']!r} before its "
                "output: send the call too, or previous_response_id.",
                "input",
            )


def messages_of(items: Iterable[Json], instructions: str | None = None) -> tuple[Message, ...]:
    """The chat that kept items are. A turn of the model is one message: thought, text, calls.

    What stands before the first turn as instructions is one system message, as templates want.
    """
    messages = [Message("system", instructions)] if instructions else []
    turn: Message | None = None  # of the model, as far as it has come
    for item in items:
        more = _spoken(item)
        if more.thought == "":  # it was told in secret, or as nothing
            continue
        if more.role != "assistant":
            messages += [turn] if turn else []
            turn = None
            _add(messages, more)
        elif turn is not None and _fits(turn, more):
            turn = _joined(turn, more)
        else:
            messages += [turn] if turn else []
            turn = more
    return (*messages, turn) if turn else tuple(messages)


def _add(messages: list[Message], message: Message) -> None:
    if message.role == "system" and len(messages) == 1 and messages[0].role == "system":
        messages[0] = Message("system", f"{messages[0].content}\n\n{message.content}")
    else:
        messages.append(message)


def _fits(turn: Message, more: Message) -> bool:
    """Whether `more` goes on with a turn in the order in which turns are written."""
    if more.thought is not None:
        return False
    return bool(more.tool_calls) or not (turn.content or turn.tool_calls)


def _joined(turn: Message, more: Message) -> Message:
    calls = turn.tool_calls + more.tool_calls
    return replace(turn, content=turn.content + more.content, tool_calls=calls)


def _spoken(item: Json) -> Message:
    """The message of one kept item."""
    kind = item["type"]
    if kind == "function_call":
        call = ToolCall(item["call_id"], item["name"], item["arguments"])
        return Message("assistant", tool_calls=(call,))
    if kind == "function_call_output":
        return Message("tool", item["output"], tool_call_id=item["call_id"])
    if kind == "reasoning":
        return Message("assistant", thought=_kept_text(item["content"] or item["summary"]))
    role: Role = "system" if item["role"] == "developer" else item["role"]
    return Message(role, _kept_text(item["content"]))


def _kept_text(parts: Iterable[Json]) -> str:
    return "".join(part["text"] for part in parts)
