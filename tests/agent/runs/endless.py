"""A model and a world that never say the same twice, and go on where they were put."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_agent.agent.explore.profile import PROFILES
from edge_agent.agent.runs.service import AgentService
from edge_agent.chat.messages import ChatRequest, Event, Prompt
from edge_agent.store.journal import open_journal
from edge_agent.store.runs import RunStore
from edge_agent.tools.base import Page, SearchHit, Tool
from edge_agent.tools.search.chain import SearchChain
from edge_agent.tools.toolbox import make_tools

from ..fakes import FakeChat, Says

# all facts fit, so that the last of them tells how far a run has come
PROFILE = replace(PROFILES["plain"], reads=2, follows=2, answer_tokens=5000)
FACTS_TO_KNOW = 16  # four steps of two pages and two followed, a fact each
HITS = 2
LETTERS = str.maketrans("0123456789", "ghijklmnop")


class Restless(FakeChat):
    """Asks for something new each turn, and knows the answer when there are enough facts.

    pause_s: most that it takes for a generation. facts: from this one on it knows the answer.
    """

    def __init__(self, pause_s: float, facts: int) -> None:
        super().__init__([Says()], n_ctx=100_000)
        self._pause_s = pause_s
        self._facts = facts
        self._random = random.Random(os.urandom(8))

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        await asyncio.sleep(self._random.uniform(0, self._pause_s))
        async for event in super().stream(prompt):
            yield event

    def _next(self, request: ChatRequest) -> Says:
        properties = dict((request.response_schema or {}).get("properties", {}))
        if "query" in properties:
            words = " ".join(f"w{self._random.getrandbits(40):x}" for _ in range(3))
            return Says(json.dumps({"facts": [1], "thought": "On.", "query": words}))
        if "facts" in properties:
            known = max(properties["facts"]["items"]["enum"], default=0)
            answer = "the answer" if known >= self._facts else "not found"
            return Says(json.dumps({"facts": [1], "answer": answer, "thought": ""}))
        return super()._next(request)


class LoggedWorld:
    """Finds two new pages for every query. `log` has a line for each call that was carried out."""

    def __init__(self, log: Path, pause_s: float) -> None:
        self._log = log
        self._pause_s = pause_s
        self._random = random.Random(os.urandom(8))

    @property
    def name(self) -> str:
        return "world"

    async def search(self, query: str, limit: int) -> list[SearchHit]:
        urls = [f"http://w/{query.replace(' ', '-')}/{i}" for i in range(HITS)]
        return [
            SearchHit(url, f"Page {i} of {query}", query, "world") for i, url in enumerate(urls)
        ]

    async def fetch(self, url: str) -> Page:
        text = f"# {url}\n\nThe page at {url} was written by {_name(url)}. It says nothing else."
        return Page(url, url, text, "text/html", "web", "2026-01-01T00:00:00Z")

    def tools(self) -> dict[str, Tool]:
        inner = make_tools(SearchChain([self]), self)
        return {name: self._logged(tool) for name, tool in inner.items()}

    def _logged(self, tool: Tool) -> Tool:
        """The tool, with a line in the log before anything is done."""

        async def search(query: list[str]) -> Any:
            return await self._made(tool, {"query": query})

        async def fetch_url(url: list[str], purpose: str) -> Any:
            return await self._made(tool, {"url": url, "purpose": purpose})

        return Tool.of(search) if tool.name == "search" else Tool.of(fetch_url)

    async def _made(self, tool: Tool, arguments: Mapping[str, Any]) -> Any:
        with self._log.open("a", encoding="utf-8") as log:
            log.write(call_line(tool.name, arguments))
        await asyncio.sleep(self._random.uniform(0, self._pause_s))
        return await tool.call(arguments)


def _name(url: str) -> str:
    """Of somebody who is on no other page."""
    letters = hashlib.sha256(url.encode()).hexdigest().translate(LETTERS)
    return f"{letters[:8].capitalize()} {letters[8:16].capitalize()}"


def call_line(tool: str, arguments: Mapping[str, Any]) -> str:
    """How a call is written into the log."""
    return json.dumps([tool, arguments], sort_keys=True) + "\n"


def endless_service(
    folder: Path, pause_s: float = 0.01, facts: int = FACTS_TO_KNOW
) -> AgentService:
    """A service over the journal in `folder`, whose tools write to `calls.log` there."""
    store = RunStore(open_journal(folder / "journal.sqlite"))
    world = LoggedWorld(folder / "calls.log", pause_s)
    return AgentService(Restless(pause_s, facts), PROFILE, lambda _: world.tools(), store, None)
