"""A chat completion as a client reads it, whole or streamed, and whether its calls are right."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import jsonschema

Json = dict[str, Any]
LAST = "[DONE]"
SHOWN = 160  # characters of what a server said


@dataclass(slots=True)
class Call:
    """A tool call as it was emitted; `arguments` is what should be JSON."""

    name: str = ""
    arguments: str = ""
    id: str = ""


@dataclass(slots=True)
class Answer:
    """What came back. error: why there is none. is_cut: the limit of tokens ended it, and a last
    call that was not whole by then is none.
    """

    calls: list[Call] = field(default_factory=list)
    text: str = ""
    error: str = ""
    is_cut: bool = False

    def settled(self) -> Answer:
        """Itself, without a call that was cut off."""
        if self.is_cut and self.calls and not _is_json(self.calls[-1].arguments):
            self.calls.pop()
        return self


async def ask(client: httpx.AsyncClient, url: str, body: Mapping[str, Any]) -> Answer:
    """Send a request and read its answer to the end; whatever goes wrong is its error."""
    try:
        async with client.stream("POST", url, json=body) as response:
            if response.status_code != httpx.codes.OK:
                said = (await response.aread()).decode(errors="replace")
                return Answer(error=f"status {response.status_code}: {said[:SHOWN]}")
            if not body.get("stream"):
                return whole(json.loads(await response.aread())).settled()
            return folded([json.loads(data) async for data in _events(response)]).settled()
    except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
        return Answer(error=f"broken answer: {error!r}"[:SHOWN])


async def _events(response: httpx.Response) -> Any:
    async for line in response.aiter_lines():
        data = line.removeprefix("data:").strip()
        if line.startswith("data:") and data != LAST:
            yield data


def whole(completion: Json) -> Answer:
    """The answer in a `chat.completion`."""
    (choice,) = completion["choices"]
    message = choice["message"]
    calls = [
        Call(call["function"]["name"], call["function"]["arguments"], call["id"])
        for call in message.get("tool_calls") or ()
    ]
    return Answer(calls, message.get("content") or "", is_cut=choice["finish_reason"] == "length")


def folded(chunks: Sequence[Json]) -> Answer:
    """The answer in the chunks of a stream: deltas of a call are added up by its index."""
    answer, calls = Answer(), dict[int, Call]()
    for chunk in chunks:
        if "error" in chunk:
            return Answer(error=f"broken stream: {chunk['error']}"[:SHOWN])
        for choice in chunk["choices"]:
            delta = choice.get("delta") or {}
            answer.text += delta.get("content") or ""
            answer.is_cut |= choice.get("finish_reason") == "length"
            for part in delta.get("tool_calls") or ():
                _add(calls.setdefault(part["index"], Call()), part)
    answer.calls = [calls[index] for index in sorted(calls)]
    return answer


def _add(call: Call, part: Json) -> None:
    function = part.get("function") or {}
    call.id += part.get("id") or ""
    call.name += function.get("name") or ""
    call.arguments += function.get("arguments") or ""


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def faults_of(call: Call, tools: Sequence[Json]) -> list[str]:
    """What is wrong with a call, where `tools` were offered; nothing is the best answer."""
    return list(_faults(call, {tool["function"]["name"]: tool["function"] for tool in tools}))


def _faults(call: Call, tools: Mapping[str, Json]) -> Iterator[str]:
    if call.name not in tools:
        yield f"unknown tool: {call.name!r}"
        return
    if not call.id:
        yield "a call without an id"
    try:
        arguments = json.loads(call.arguments)
    except ValueError as error:
        yield f"not JSON: {error}: {call.arguments[-SHOWN:]}"
        return
    validator = jsonschema.Draft202012Validator(tools[call.name]["parameters"])
    for wrong in validator.iter_errors(arguments):
        yield f"not valid: {wrong.json_path}: {wrong.message}"[:SHOWN]
        return
