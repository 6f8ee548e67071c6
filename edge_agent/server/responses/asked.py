"""A response that is asked for: the request with all it stands on, and its prompt."""

from __future__ import annotations

import hashlib
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from edge_agent.chat.messages import Chat, ChatRequest, Completion, Done, Message, Prompt
from edge_agent.engine.params import GenerateParams, Usage
from edge_agent.errors import ContextOverflow, NotFound, NotSupported, RequestError
from edge_agent.server.errors import renamed
from edge_agent.server.responses.items import (
    Find,
    check_outputs,
    items_of,
    messages_of,
    new_id,
)
from edge_agent.server.responses.request import NAMES, to_request
from edge_agent.server.responses.schemas import CountBody, ResponseBody
from edge_agent.server.services import Defaults
from edge_agent.store.responses import UNFINISHED, ResponseRow, Shelf

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """context: every item the model is given, the `n_new` last of which are this request's own.

    previous: what it goes on from. request: without a prompt of its own, see `prompt_of`.
    """

    chat: Chat
    request: ChatRequest
    created_at: int
    context: tuple[Json, ...]
    n_new: int
    instructions: str | None = None
    previous: ResponseRow | None = None
    truncates: bool = False

    @property
    def id(self) -> str:
        """The id of the response."""
        return self.request.name


def ask(
    body: CountBody,
    chat: Chat,
    defaults: Defaults,
    shelf: Shelf | None,
    response_id: str | None = None,
    created_at: int | None = None,
) -> Asked:
    """What a body asks for. Raises RequestError and NotSupported, naming the field.

    shelf: what it may go on from.
    """
    previous = _previous(body.previous_response_id, shelf)
    items = items_of(body.input, _finder(shelf))
    if not items:
        raise RequestError("input: this field is required, with something in it.", "input")
    before = [*previous.context, *previous.response["output"]] if previous else []
    context = (*before, *items)
    check_outputs(context)
    name = response_id or new_id("resp")
    messages = messages_of(context, body.instructions)
    request = to_request(body, messages, defaults, name)
    return Asked(
        chat=chat,
        request=replace(_live(body, request), follows=_run_of(previous)),
        created_at=created_at or int(time.time()),
        context=context,
        n_new=len(items),
        instructions=body.instructions,
        previous=previous,
        truncates=body.truncation == "auto",
    )


def _live(body: CountBody, request: ChatRequest) -> ChatRequest:
    """The same, with what is to be told while it is written."""
    extra = body.model_extra or {}
    progress = bool(extra.get("return_progress") or extra.get("timings_per_token"))
    streams = isinstance(body, ResponseBody) and bool(body.stream)
    return replace(request, live_calls=streams, progress=progress)


def _run_of(previous: ResponseRow | None) -> str:
    """The run that an answer of the agent came from."""
    return str(previous.response.get("run_id", "")) if previous else ""


def _finder(shelf: Shelf | None) -> Find:
    if shelf is not None:
        return shelf.item

    def nothing(item_id: str) -> Json:
        raise NotFound(f"There is no item {item_id!r}: this server stores no responses.")

    return nothing


def _previous(response_id: str | None, shelf: Shelf | None) -> ResponseRow | None:
    if response_id is None:
        return None
    if shelf is None:
        raise NotSupported(
            "previous_response_id is not supported: this server stores no responses.",
            "previous_response_id",
        )
    try:
        row = shelf.get(response_id)
    except NotFound as error:
        raise RequestError(f"previous_response_id: {error}", "previous_response_id") from None
    if row.status in (*UNFINISHED, "failed", "cancelled"):
        raise RequestError(
            f"previous_response_id: {response_id} is {row.status}, so there is nothing to go on "
            "from.",
            "previous_response_id",
        )
    return row


def prompt_of(asked: Asked, keeps: bool = True) -> tuple[Prompt, str]:
    """The prompt, and the hash of what it begins with; without `keeps` that may be empty.

    Where the request goes on from tokens that are known, their ids come first, so that nothing is
    computed again and the model sees what it wrote as it wrote it. Raises what `Chat.prepare` does.
    """
    known = asked.previous
    try:
        head = head_of(asked.chat, asked.request) if keeps or known else ""
        return _prompt(asked, known if known and _goes_on(asked, known, head) else None), head
    except RequestError as error:
        raise renamed(error, NAMES) from None


def _prompt(asked: Asked, known: ResponseRow | None) -> Prompt:
    """known: of which the tokens come first."""
    try:
        return _continued(asked, known) if known else _whole(asked)
    except ContextOverflow:
        if not (known and asked.truncates):
            raise
        return _whole(asked)


def head_of(chat: Chat, request: ChatRequest) -> str:
    """A hash of the tokens that stand before the conversation: of instructions, tools, template and
    vocabulary. Empty where tokens are not known."""
    first = request.messages[:1] if request.messages[0].role == "system" else ()
    plain = ChatRequest(
        (*first, Message("user", "?")),
        tools=request.tools,
        tool_choice="none" if request.tool_choice == "none" else "auto",
        thinking=request.thinking,
        thinking_budget=request.thinking_budget,
        template_kwargs=request.template_kwargs,
    )
    try:
        ids = chat.prepare(plain).ids
    except ContextOverflow:  # the prompt itself says so better
        return ""
    return hashlib.sha256(array("i", ids).tobytes()).hexdigest()[:32] if ids else ""


def _goes_on(asked: Asked, known: ResponseRow, head: str) -> bool:
    """Whether the tokens of the response before are how this prompt begins."""
    same = bool(known.prompt_ids) and known.head == head and known.status == "completed"
    return same and _tail(asked)[0].role != "assistant"


def _tail(asked: Asked) -> tuple[Message, ...]:
    return messages_of(asked.context[-asked.n_new :])


def _continued(asked: Asked, known: ResponseRow) -> Prompt:
    before = Prompt(known.prompt_ids, GenerateParams())
    written = Completion("", "", (), Done("stop", Usage(), known.completion_ids))
    return asked.chat.extend(before, written, _tail(asked), asked.request)


def _whole(asked: Asked) -> Prompt:
    """The conversation from its items; its oldest turns are left out where that is allowed."""
    items: Sequence[Json] = asked.context
    while True:
        messages = messages_of(items, asked.instructions)
        try:
            return asked.chat.prepare(replace(asked.request, messages=messages))
        except ContextOverflow:
            less = _without_oldest(items) if asked.truncates else None
            if less is None:
                raise
            items = less


def _without_oldest(items: Sequence[Json]) -> list[Json] | None:
    """The items without the oldest turn of the client and what followed it; None if that is all."""
    turns = [n for n, item in enumerate(items) if item.get("role") == "user"]
    if len(turns) < 2:
        return None
    kept = [item for item in items[: turns[1]] if item.get("role") in ("system", "developer")]
    return [*kept, *items[turns[1] :]]
