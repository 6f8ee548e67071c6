"""A chat with a scripted backend over a real connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from edge_agent.chat.messages import (
    ChatRequest,
    Completion,
    Event,
    Message,
)
from edge_agent.chat.remote.chat import RemoteChat
from edge_agent.chat.remote.link import Link, Patience
from edge_agent.chat.remote.probe import probe
from edge_agent.engine.params import SamplingParams
from tests.patience import HANG_S

from .backend import Backend, Says, running

ASKED = (Message("user", "Who?"),)
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 9}},
    "required": ["name"],
    "additionalProperties": False,
}
CALLED = [
    {"index": 0, "id": "c1", "function": {"name": "search", "arguments": ""}},
    {"index": 0, "function": {"arguments": '{"query": '}},
    {"index": 1, "id": "c2", "function": {"name": "fetch_url", "arguments": '{"url": "u"}'}},
    {"index": 0, "function": {"arguments": '["a"]}'}},
]
PLAIN = SamplingParams(temperature=0.5)
CALM = Patience(connect_s=HANG_S, first_byte_s=HANG_S, between_s=HANG_S, short_s=HANG_S, busy_s=30)
QUICK = replace(CALM, first_byte_s=0.4, between_s=0.4)  # for a server that says nothing


@dataclass
class Talk:
    """A chat with a scripted backend; `said` are the lines for the person, `slept` the waits."""

    chat: RemoteChat
    link: Link
    backend: Backend
    said: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    async def whole(self, request: ChatRequest) -> Completion:
        return await self.chat.complete(self.chat.prepare(request))

    async def events(self, request: ChatRequest) -> list[Event]:
        return [event async for event in self.chat.stream(self.chat.prepare(request))]


Talks = Callable[..., Any]


@asynccontextmanager
async def talk(*script: Says, patience: Patience = CALM, **more: Any) -> AsyncIterator[Talk]:
    with running(Backend(list(script), **more)) as backend:
        said: list[str] = []
        slept: list[float] = []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        link = Link(backend.url, "secret", patience, sleep)
        about = await probe(link)
        window = about.n_ctx or 1000
        chat = RemoteChat(link, about, window, PLAIN, said.append, make_id=lambda: "call_new")
        try:
            yield Talk(chat, link, backend, said, slept)
        finally:
            await link.aclose()
