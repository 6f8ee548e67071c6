"""The agent as a model: a chat whose thoughts are the steps of a run, and whose text its answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from edge_agent.agent.prompts import prompt
from edge_agent.agent.records import Agent, Answered, Limits, Run, RunStarted, Task
from edge_agent.agent.runs.desk import EARLIER_CHARS, MOST_EARLIER
from edge_agent.chat.adapted import AdaptedChat
from edge_agent.chat.fold import folded
from edge_agent.chat.messages import (
    Chat,
    ChatRequest,
    Completion,
    Done,
    Event,
    Message,
    Prompt,
    Thought,
)
from edge_agent.engine.params import GenerateParams, Usage
from edge_agent.errors import RequestError
from edge_agent.server.research.cited import answer_of, without_sources
from edge_agent.server.research.telling import Teller
from edge_agent.server.surface import AGENT as AGENT_API

AGENT = "agent"
# reasoning_effort as a factor of the usual limits of a run
EFFORTS: Mapping[str, float] = MappingProxyType(
    {"minimal": 0.25, "low": 0.5, "medium": 1.0, "high": 2.0, "xhigh": 4.0}
)


def agent_names(models: Sequence[str]) -> tuple[str, ...]:
    """By which names clients may ask for the agent over a model that has these."""
    return (AGENT, *(f"{name}-agent" for name in models))


class AgentChat(AdaptedChat):
    """A chat with an agent in place of its model: every generation is a run of its own.

    The last message is the task; questions and answers before it are told with it, and so are
    system messages. Where the run before is known, what it found is at hand too. Sampling is the
    agent's own, and so are its tools. chat: the model of the runs, which none of its prompts ever
    reaches. holder: whose the runs are.
    """

    def __init__(self, agent: Agent, chat: Chat, holder: str = "") -> None:
        super().__init__(chat)
        self._agent = agent
        self._holder = holder

    @property
    def name(self) -> str:
        """The name by which clients know the agent."""
        return f"{super().name}-agent"

    def prepare(self, request: ChatRequest) -> Prompt:
        """Raises RequestError and NotSupported for what a run cannot honour."""
        AGENT_API.check(_asked(request))
        task = task_of(request)
        return Prompt((), GenerateParams(), request=request, estimate=self.count(task.task))

    def extend(
        self,
        prompt: Prompt,
        completion: Completion,
        messages: tuple[Message, ...],
        request: ChatRequest,
    ) -> Prompt:
        """See `messages.Chat.extend`."""
        before = prompt.request.messages if prompt.request else ()
        answered = Message("assistant", completion.text)
        return self.prepare(replace(request, messages=(*before, answered, *messages)))

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        """Thoughts, one text, and Done; closing the iterator cancels the run."""
        assert prompt.request is not None
        teller, as_json = Teller(), prompt.request.response_schema is not None
        task = replace(task_of(prompt.request), holder=self._holder)
        async with aclosing(self._agent.stream(task)) as events:
            async for event in events:
                if isinstance(event, Answered):
                    yield answer_of(event.run, as_json)
                    yield self._done(event.run)
                    return
                told = teller.tell(event)
                if told or isinstance(event, RunStarted):  # an empty one says that it has begun
                    yield Thought(told)

    async def complete(self, prompt: Prompt) -> Completion:
        """The fold of `stream`."""
        return await folded(self.stream(prompt))

    def _done(self, run: Run) -> Done:
        """The account of a run; what is not its answer was thought."""
        thought = max(0, run.usage.completion_tokens - self.count(run.answer))
        return Done("stop", _usage(run), thought_tokens=thought, run=run.id)


def task_of(request: ChatRequest) -> Task:
    """The conversation as a task. Raises RequestError unless it ends in a question."""
    last = request.messages[-1]
    if last.role != "user" or not last.content.strip():
        raise RequestError(
            "The last message must be the task, of role user: say what is to be found out.",
            "messages",
        )
    schema = request.response_schema
    return Task(
        _told(request),
        follows=request.follows or None,
        limits=_limits(request),
        output_schema=None if schema is None else schema or {"type": "object"},
    )


def _told(request: ChatRequest) -> str:
    """The task, then what it follows, then what was said about how to answer.

    A run that follows another knows itself what was asked before.
    """
    messages = request.messages
    task, earlier = messages[-1].content, _earlier(messages[:-1])
    if earlier and not request.follows:
        task = prompt("follow_up").format(task=task, earlier="\n".join(earlier))
    rules = [m.content for m in messages if m.role == "system" and m.content.strip()]
    return "\n\n".join([task, *rules])


def _earlier(messages: Sequence[Message]) -> list[str]:
    """Questions with their answers, oldest first."""
    told = [
        f"- {asked.content} {without_sources(answer.content)[:EARLIER_CHARS]}"
        for asked, answer in pairwise(messages)
        if (asked.role, answer.role) == ("user", "assistant")
    ]
    return told[-MOST_EARLIER:]


def _limits(request: ChatRequest) -> Limits:
    usual = Limits()
    factor = EFFORTS.get(str(request.template_kwargs.get("reasoning_effort")), 1.0)
    tokens = int(usual.tokens * factor)
    return Limits(
        steps=max(1, int(usual.steps * factor)),
        tokens=min(tokens, request.max_tokens) if request.max_tokens else tokens,
        seconds=usual.seconds * factor,
        thought_tokens=request.thinking_budget,
    )


def _usage(run: Run) -> Usage:
    used = run.usage
    return Usage(
        prompt_tokens=used.prompt_tokens,
        cached_tokens=used.cached_tokens,
        completion_tokens=used.completion_tokens,
        predict_s=used.seconds,
    )


def _asked(request: ChatRequest) -> Mapping[str, Any]:
    """What a request wants of a model, as `server.surface` knows it."""
    return {
        "tools": bool(request.tools) and request.tool_choice != "none",
        "n": request.n,
        "logprobs": request.n_logprobs is not None,
        "grammar": request.grammar is not None,
        "stop": bool(request.stop),
        "messages": request.prefill,
    }
