"""A chat and an agent that play a script, and remember what they were asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from edge_agent.agent.records import (
    Answered,
    Citation,
    Run,
    RunEvent,
    RunStarted,
    RunUsage,
    Step,
    Task,
)
from edge_agent.chat.messages import (
    ChatRequest,
    Completion,
    Done,
    Event,
    Message,
    Prompt,
    Text,
    Thought,
    ToolCall,
)
from edge_agent.engine.params import Edit, Edited, GenerateParams, Usage
from edge_agent.errors import NotFound

USAGE = Usage(prompt_tokens=20, cached_tokens=5, completion_tokens=4, prompt_s=0.5, predict_s=0.25)


@dataclass(frozen=True)
class Pause:
    """The script waits this many seconds here."""

    seconds: float


class Gate:
    """The script waits here until it may go on."""

    def __init__(self) -> None:
        self.is_open = False


@dataclass(frozen=True)
class Forever:
    """The script says this again and again, every hundredth of a second."""

    event: Any


Item: TypeAlias = Any  # an event, a Pause, a Gate, a Forever, or an exception to raise


class Script:
    """Plays items; `open` counts the streams that are running, `closed` those that ended."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self.open = 0
        self.closed = 0

    async def play(self) -> AsyncGenerator[Any, None]:
        self.open += 1
        try:
            for item in self.items:
                async for event in self._play_one(item):
                    yield event
        finally:
            self.open -= 1
            self.closed += 1

    async def _play_one(self, item: Item) -> AsyncGenerator[Any, None]:
        if isinstance(item, BaseException):
            raise item
        if isinstance(item, Pause):
            await asyncio.sleep(item.seconds)
            return
        if isinstance(item, Gate):
            while not item.is_open:
                await asyncio.sleep(0.005)
            return
        while isinstance(item, Forever):
            yield item.event
            await asyncio.sleep(0.01)
        yield item


class FakeChat:
    """Implements Chat. `refusal` is what `prepare` raises."""

    def __init__(
        self,
        items: Sequence[Item] = (Text("Hello"), Text(" there"), Done("stop", USAGE)),
        refusal: Exception | None = None,
    ) -> None:
        self.script = Script(items)
        self.refusal = refusal
        self.requests: list[ChatRequest] = []
        self.stopped: list[str] = []  # names of generations told to stop thinking

    name = "fake-1b"
    n_ctx = 4096

    def count(self, text: str) -> int:
        return len(text.split())

    def prepare(self, request: ChatRequest) -> Prompt:
        self.requests.append(request)
        if self.refusal:
            raise self.refusal
        return Prompt((1, 2, 3), GenerateParams(n=request.n))

    def extend(
        self,
        prompt: Prompt,
        completion: Completion,
        messages: tuple[Message, ...],
        request: ChatRequest,
    ) -> Prompt:
        return Prompt((*prompt.ids, *completion.done.ids, 4), prompt.params)

    def stream(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        return self.script.play()

    async def complete(self, prompt: Prompt) -> Completion:
        events = [event async for event in self.stream(prompt)]
        done = next(event for event in events if isinstance(event, Done))
        return Completion(
            "".join(event.text for event in events if isinstance(event, Text)),
            "".join(event.text for event in events if isinstance(event, Thought)),
            tuple(event for event in events if isinstance(event, ToolCall)),
            done,
        )

    async def stop_thinking(self, name: str) -> bool:
        if not self.script.open:
            raise NotFound(f"No generation named {name!r} is running.")
        self.stopped.append(name)
        return True

    def locate(self, prompt: Prompt, texts: Sequence[str], since: int = 0) -> tuple[None, ...]:
        return (None,) * len(texts)

    async def edit(self, edit: Edit) -> Edited:
        return Edited(0, 0)


RUN = Run(
    id="run-1",
    task="Who keeps the light?",
    model="fake-1b",
    status="completed",
    reason="answered",
    answer="Ada Holm",
    citations=(Citation("isle", "http://isle/light", "The light", "kept by Ada Holm"),),
    steps=(Step(1, thought="Look it up."),),
    usage=RunUsage(prompt_tokens=10, completion_tokens=3, tool_calls=1, seconds=0.5),
)


class FakeAgent:
    """Implements Agent."""

    def __init__(
        self, items: Sequence[Item] = (RunStarted("run-1", RUN.task, RUN.model), Answered(RUN))
    ) -> None:
        self.script = Script(items)
        self.tasks: list[Task] = []

    def stream(self, task: Task) -> AsyncGenerator[RunEvent, None]:
        self.tasks.append(task)
        return self.script.play()

    async def run(self, task: Task) -> Run:
        async for event in self.stream(task):
            if isinstance(event, Answered):
                return event.run
        raise AssertionError("the script has no answer")
