"""A whole house of fakes behind the real app: every route has something to stand on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from edge_agent.agent.explore.profile import PROFILES
from edge_agent.agent.runs.service import AgentService
from edge_agent.chat.messages import (
    ChatRequest,
    Completion,
    Done,
    Event,
    Message,
    NamedTool,
    Prompt,
    Text,
    Thought,
    ToolCall,
)
from edge_agent.chat.text import TextRequest
from edge_agent.errors import ContextOverflow, NotFound
from edge_agent.server.responses.desk import Desk
from edge_agent.server.services import Services
from edge_agent.server.text.embedder import EmbeddingModel
from edge_agent.server.tools.bench import Listed, chosen
from edge_agent.store.journal import open_journal
from edge_agent.store.responses import open_responses
from edge_agent.store.runs import RunStore
from edge_agent.tools.base import Tool
from tests.agent.fakes import HARBOUR, World, search
from tests.agent.fakes import FakeChat as ScriptedChat
from tests.server.device.fakes import FakeDevice
from tests.server.fakes import USAGE, FakeChat, Pause, Script
from tests.server.text.fakes import FakeReader, FakeTexts
from tests.server.tools.fakes import ObligingDesk

N_CTX = 4096
THOUGHT_S = 3.0  # of one who was told to think hard
GAP = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
TURN_S = 1.0  # of a run: long enough to be cancelled
PLAIN = replace(PROFILES["plain"], reads=3, follows=0)


class ObligingChat(FakeChat):
    """A FakeChat that gives each request what it asks for: its number of choices, a thought, a call
    where one is forced; and refuses what does not fit."""

    def prepare(self, request: ChatRequest) -> Prompt:
        n_prompt = sum(self.count(message.content) for message in request.messages)
        if n_prompt >= N_CTX:
            raise ContextOverflow(n_prompt, N_CTX)
        return replace(super().prepare(request), request=request)

    def extend(
        self,
        prompt: Prompt,
        completion: Completion,
        messages: tuple[Message, ...],
        request: ChatRequest,
    ) -> Prompt:
        return replace(super().extend(prompt, completion, messages, request), request=request)

    def stream(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        asked = prompt.request
        assert asked is not None
        items = [item for choice in range(asked.n) for item in _answer(asked, choice)]
        self.script = Script(items)
        return self.script.play()


def _answer(asked: ChatRequest, choice: int) -> Iterator[object]:
    if asked.template_kwargs.get("reasoning_effort") == "high":
        yield Thought("Let me see", choice)
        yield Pause(THOUGHT_S)
    name = _forced(asked)
    if name is None:
        yield Text("Oslo", choice)
        yield Done("stop", USAGE, choice=choice)
    else:
        yield ToolCall("call_1", name, "{}", choice)
        yield Done("tool_calls", USAGE, choice=choice)


def _forced(asked: ChatRequest) -> str | None:
    if isinstance(asked.tool_choice, NamedTool):
        return asked.tool_choice.name
    return asked.tools[0].name if asked.tool_choice == "required" else None


class ObligingTexts(FakeTexts):
    """A FakeTexts that goes on with every prompt, and knows the marks of a gap in code."""

    def token_id(self, text: str) -> int | None:
        return 256 + GAP.index(text) if text in GAP else super().token_id(text)

    def prepare(self, request: TextRequest) -> Prompt:
        ids = [id for part in request.prompt for id in self._ids(part)]
        if len(ids) >= N_CTX:
            raise ContextOverflow(len(ids), N_CTX)
        asked = ChatRequest((), n=request.n)
        return Prompt(tuple(ids), FakeChat().prepare(asked).params, request=asked)

    def _ids(self, part: str | int) -> list[int]:
        return self.encode(part) if isinstance(part, str) else [part]

    def stream(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        assert prompt.request is not None
        n = prompt.request.n
        return Script(
            [item for choice in range(n) for item in _answer(prompt.request, choice)]
        ).play()


@contextmanager
def house(folder: Path) -> Iterator[Services]:
    """Services with every room furnished, over a journal in `folder`."""
    world = World(HARBOUR)

    def tools_for(library: str | None) -> Mapping[str, Tool]:
        if library is not None:
            raise NotFound(f"There is no library {library!r}.")
        return world.tools()

    journal = open_journal(folder / "journal.sqlite")
    store = RunStore(journal)
    scripted = ScriptedChat([replace(search("Thrift builder"), wait_s=TURN_S)], ["Ane Pollock"])
    runs = AgentService(scripted, PLAIN, tools_for, store, None, rollouts_at_once=64)
    with (
        closing(open_responses(folder / "responses.sqlite")) as responses,
        closing(EmbeddingModel("fake-embedder", FakeReader())) as embeddings,
    ):
        yield Services(
            ObligingChat(),
            runs,
            runs=runs,
            texts=ObligingTexts(),
            device=FakeDevice(),
            embeddings=embeddings,
            responses=Desk(responses),
            tools=chosen(["all"], [Listed(t, "builtin") for t in world.tools().values()]),
            approvals=ObligingDesk(),
            shows_metrics=True,
            shows_slots=True,
        )
