"""What goes into a chat and what comes out: messages in, events out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from edge_agent.engine.params import GenerateParams, SamplingParams, Usage

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the model wrote. `arguments` is JSON text of an object, as OpenAI's wire has it.

    As an event it is emitted once, when the call is complete.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `thought` is the text between the thinking markers of an assistant turn."""

    role: Role
    content: str = ""
    thought: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A function the model may call; `parameters` is a JSON Schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NamedTool:
    """tool_choice that forces one tool."""

    name: str


ToolChoice: TypeAlias = Literal["none", "auto", "required"] | NamedTool


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """Everything one generation depends on.

    response_schema: JSON Schema the text must satisfy ({} is "any JSON object"); None is free text.
    thinking: False asks the template for a turn without thoughts, None leaves the model's default.
    stop: texts that end generation and are not part of it.
    prefill: the beginning of the assistant's turn, written by the caller.
    """

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool = True
    response_schema: Mapping[str, Any] | None = None
    sampling: SamplingParams | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    thinking: bool | None = None
    prefill: str = ""
    priority: int = 0
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """A piece of what stands between the thinking markers."""

    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The last event. `ids` are the generated token ids, exactly as generated.

    reason: stop, length, or tool_calls (at least one call was emitted).
    malformed: raw text of a call that could not be parsed, with a sentence saying why.
    """

    reason: Literal["stop", "length", "tool_calls"]
    usage: Usage
    ids: tuple[int, ...] = ()
    malformed: str | None = None


Event: TypeAlias = Text | Thought | ToolCall | Done


@dataclass(frozen=True, slots=True)
class Completion:
    """The fold of an event stream."""

    text: str
    thought: str
    tool_calls: tuple[ToolCall, ...]
    done: Done


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request that has been rendered, tokenised, constrained and found to fit.

    ids: the whole prompt. opens_thought: the prompt ends inside a thought, so the first generated
    text is a Thought. tool_names: the calls the parser may recognise, which are of `tools`.
    """

    ids: tuple[int, ...]
    params: GenerateParams
    opens_thought: bool = False
    tool_names: frozenset[str] = frozenset()
    stop: tuple[str, ...] = ()
    tools: tuple[ToolSpec, ...] = ()


class Chat(Protocol):
    """A model one can talk to."""

    @property
    def name(self) -> str:
        """The name by which clients know the model."""
        ...

    @property
    def n_ctx(self) -> int:
        """Tokens one request may use, prompt and generation together."""
        ...

    def count(self, text: str) -> int:
        """Tokens of a plain text."""
        ...

    def prepare(self, request: ChatRequest) -> Prompt:
        """All that can fail before generation: ContextOverflow, GrammarError, RequestError."""
        ...

    def extend(
        self,
        prompt: Prompt,
        generated: tuple[int, ...],
        messages: tuple[Message, ...],
        request: ChatRequest,
    ) -> Prompt:
        """The next prompt of a transcript: prompt.ids + generated + what the template puts around
        `messages` (tool results that follow the generated assistant turn) + the opening of the next
        assistant turn. prompt.ids + generated is a prefix of the result, so nothing is recomputed.
        `request` gives tools, tool_choice, sampling and limits of the next generation; its messages
        are not rendered again."""
        ...

    def stream(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        """Events ending in Done. Closing the iterator cancels the generation."""
        ...

    async def complete(self, prompt: Prompt) -> Completion:
        """The fold of `stream`."""
        ...
