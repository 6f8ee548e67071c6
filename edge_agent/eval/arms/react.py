"""A bare ReAct loop: search, read or answer, one constrained JSON action a turn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge_agent.agent.records import Action
from edge_agent.chat.messages import Chat, ChatRequest, Completion, Message
from edge_agent.errors import ContextOverflow, ToolError
from edge_agent.eval.arms.short_answer import GREEDY, tidy
from edge_agent.eval.pages import Pages
from edge_agent.eval.prompts import text_of
from edge_agent.eval.question import Question
from edge_agent.eval.talk import Talk
from edge_agent.eval.trial import Trial
from edge_agent.tools.base import Page, SearchHit

STEPS = 6
HITS = 5
PAGE_WORDS = 300
TURN_TOKENS = 200
ACTIONS = ("search", "read", "answer")
THOUGHT_CHARS, INPUT_CHARS = 200, 120
OPENING = 2  # messages that are never dropped: the system's and the question


@dataclass(frozen=True, slots=True)
class Move:
    """What the model decided."""

    action: str
    input: str


class React:
    """Yao et al. 2023, "ReAct: Synergizing Reasoning and Acting in Language Models", with nothing
    around it: no refiner, no guard, no check. In the last step it may only answer."""

    name = "react"

    def __init__(self, chat: Chat, pages: Pages) -> None:
        self._chat = chat
        self._pages = pages
        self._system = text_of("react")

    async def answer(self, question: Question) -> Trial:
        talk = Talk(self._chat, question.question)
        asked = Message("user", f"Question: {question.question}")
        loop = _Loop(self._pages, [Message("system", self._system), asked], talk)
        for _ in range(STEPS - 1):
            answer = await loop.step()
            if answer is not None:
                return Trial(talk.run(answer))
        return Trial(talk.run(await loop.last(), "steps_limit", forced=True))


class _Loop:
    """One try's messages."""

    def __init__(self, pages: Pages, messages: list[Message], talk: Talk) -> None:
        self._pages = pages
        self._messages = messages
        self._talk = talk
        self._hits: dict[str, str] = {}  # titles and URLs as found, folded -> URL
        self._made: set[Move] = set()

    async def step(self) -> str | None:
        """Think, act, observe; the answer when that is what the model chose."""
        completion = await self._think(ACTIONS)
        move = _move(completion.text)
        if move is not None and move.action == "answer":
            return tidy(move.input)
        observation = await self._observe(move)
        self._messages += [
            Message("assistant", completion.text),
            Message("user", f"Observation: {observation}"),
        ]
        return None

    async def last(self) -> str:
        """The step in which only an answer is allowed."""
        move = _move((await self._think(("answer",))).text)
        if move is None:
            self._talk.failed(UNREAD)
        return tidy(move.input) if move else ""

    async def _think(self, actions: Sequence[str]) -> Completion:
        while True:
            try:
                return await self._talk.ask(_request(tuple(self._messages), actions))
            except ContextOverflow:
                if len(self._messages) <= OPENING:
                    raise
                del self._messages[OPENING : OPENING + 2]  # the oldest turn makes room

    async def _observe(self, move: Move | None) -> str:
        if move is None:
            self._talk.failed(UNREAD)
            return UNREAD
        repeated = move in self._made
        self._made.add(move)
        error = None
        try:
            text = await (self._search if move.action == "search" else self._read)(move.input)
        except ToolError as failed:
            text = error = str(failed)
        done = Action(move.action, {"input": move.input}, text[:200], error, repeated=repeated)
        self._talk.did([done])
        return text

    async def _search(self, query: str) -> str:
        hits = await self._pages.search(query, HITS)
        for hit in hits:
            self._hits[hit.title.casefold()] = self._hits[hit.url.casefold()] = hit.url
        return "\n".join(map(_line, hits)) or "nothing was found."

    async def _read(self, reference: str) -> str:
        url = self._hits.get(reference.strip().casefold(), reference.strip())
        (page,) = await self._pages.read([url])
        if not isinstance(page, Page):
            return page.message
        return f"{page.title}: {' '.join(page.text.split()[:PAGE_WORDS])}"


UNREAD = "this was not one whole JSON object."


def _line(hit: SearchHit) -> str:
    return f"- {hit.title} ({hit.url}): {hit.snippet}"


def _move(text: str) -> Move | None:
    try:
        wrote = json.loads(text)
    except ValueError:
        return None
    if not isinstance(wrote, dict) or wrote.get("action") not in ACTIONS:
        return None
    return Move(wrote["action"], str(wrote.get("input", "")))


def _request(messages: tuple[Message, ...], actions: Sequence[str]) -> ChatRequest:
    properties: dict[str, Any] = {
        "thought": {"type": "string", "maxLength": THOUGHT_CHARS},
        "action": {"enum": list(actions)},
        "input": {"type": "string", "minLength": 1, "maxLength": INPUT_CHARS},
    }
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return ChatRequest(
        messages,
        response_schema=schema,
        sampling=GREEDY,
        max_tokens=TURN_TOKENS,
        thinking=False,
    )
