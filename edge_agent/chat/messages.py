"""What goes into a chat and what comes out: messages in, events out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from edge_agent.engine.params import Edit, Edited, GenerateParams, SamplingParams, Usage

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the model wrote. `arguments` is JSON text of an object, as OpenAI's wire has it.

    As an event it is emitted once, when the call is complete; `choice` says of which continuation
    of the prompt, and `logprobs` of which tokens, where they were asked for and no piece of the
    call had them. Both are no part of the call.
    """

    id: str
    name: str
    arguments: str
    choice: int = field(default=0, compare=False, repr=False)
    logprobs: tuple[TokenLogprob, ...] = field(default=(), compare=False, repr=False)


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

TokenRange: TypeAlias = tuple[int, int]  # the first token of a span, and the one behind its last


@dataclass(frozen=True, slots=True)
class Grammar:
    """What the text of an answer must match: llama.cpp's GBNF, llguidance's Lark, or a regex."""

    kind: Literal["gbnf", "lark", "regex"]
    text: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """Everything one generation depends on.

    response_schema: JSON Schema the text must satisfy ({} is "any JSON object"); None is free text.
    grammar: what the text must match otherwise; not together with response_schema.
    thinking: False asks the template for a turn without thoughts, None leaves the model's default.
    thinking_budget: most tokens of thought, None is no limit and 0 no thought at all; a model that
    does not think ignores it. thinking_close: a sentence that ends a thought which is cut short.
    stop: texts that end generation and are not part of it.
    prefill: the beginning of the assistant's turn, written by the caller.
    n: continuations of the one prompt; n_logprobs, speculate: see `GenerateParams`.
    fresh: see there too; nor does the prompt go on from the tokens of earlier answers.
    pin: keep the system message and the tools in the engine's cache, on disk too.
    opening: False ends the prompt behind the last message, with no assistant's turn begun.
    ignore_eos: go on past the model's own end, until a limit or a stop.
    strict_calls: what the schema of its tool does not allow is no call but text.
    live_calls: tell of tool calls while they are written (`CallPiece`). progress: tell how far the
    generation has come (`Progress`).
    name: by which `Chat.stop_thinking` finds the running generation.
    follows: `Done.run` of the last turn of the assistant, "" where it had none.
    """

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool = True
    response_schema: Mapping[str, Any] | None = None
    grammar: Grammar | None = None
    sampling: SamplingParams | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    thinking: bool | None = None
    thinking_budget: int | None = None
    thinking_close: str = ""
    prefill: str = ""
    priority: int = 0
    n: int = 1
    n_logprobs: int | None = None
    speculate: bool | None = None
    fresh: bool = False
    pin: bool = False
    opening: bool = True
    ignore_eos: bool = False
    strict_calls: bool = False
    live_calls: bool = False
    progress: bool = False
    name: str = ""
    follows: str = ""
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token, its log probability (natural), and the likeliest tokens at its place.

    bytes: what the token adds to the text, which may be less than a character. id: in the model's
    vocabulary, -1 where that is not known.
    """

    bytes: bytes
    logprob: float
    top: tuple[TokenLogprob, ...] = ()
    id: int = field(default=-1, compare=False)


@dataclass(frozen=True, slots=True)
class Cited:
    """What text[start:end] of a piece of the answer cites.

    since: where in the text the words begin that it proves, None where the mark is all there is.
    quote: what stands there.
    """

    start: int
    end: int
    url: str
    title: str
    since: int | None = None
    quote: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the answer. logprobs: the tokens it is made of, where they were asked for.

    citations: what it cites, from a chat that looks things up.
    """

    text: str
    choice: int = 0
    logprobs: tuple[TokenLogprob, ...] = ()
    citations: tuple[Cited, ...] = ()


@dataclass(frozen=True, slots=True)
class Thought:
    """A piece of what stands between the thinking markers."""

    text: str
    choice: int = 0


@dataclass(frozen=True, slots=True)
class CallPiece:
    """A piece of a tool call that is being written, where `ChatRequest.live_calls` asks for it.

    The first piece has the name; all together are the JSON text of the arguments. Once complete the
    call is told whole too, as the ToolCall with this id: it is cut off when that never comes.
    logprobs: as in Text; the marks of a call and its name are tokens too.
    """

    id: str
    name: str = ""
    arguments: str = ""
    choice: int = 0
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a generation has come, where `ChatRequest.progress` asks for it.

    processed: tokens of the prompt that need no more work, the cached ones included. usage: up to
    here; while the prompt is computed it has no completion_tokens. Comes before the text it counts.
    """

    processed: int
    usage: Usage
    choice: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """The last event of a continuation. `ids` are the generated token ids, exactly as generated.

    reason: stop, length, or tool_calls (at least one call was emitted).
    malformed: raw text of a call that could not be parsed, with a sentence saying why.
    thought_tokens: generated tokens between the thinking markers.
    stop: the stop text of the request that ended it, None where something else did.
    run: id of the run that it came from, where the chat is an agent.
    """

    reason: Literal["stop", "length", "tool_calls"]
    usage: Usage
    ids: tuple[int, ...] = ()
    malformed: str | None = None
    choice: int = 0
    thought_tokens: int = 0
    stop: str | None = None
    run: str = ""


Event: TypeAlias = Text | Thought | ToolCall | CallPiece | Progress | Done


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
    request: what is sent to a model on another server, in place of ids; its messages are the whole
    conversation. estimate: of its tokens, rather too many than too few.
    strict_calls, live_calls: see `ChatRequest`. plain: what is generated is text and nothing else.
    text: as it was rendered, if it was rendered whole.
    """

    ids: tuple[int, ...]
    params: GenerateParams
    opens_thought: bool = False
    tool_names: frozenset[str] = frozenset()
    stop: tuple[str, ...] = ()
    tools: tuple[ToolSpec, ...] = ()
    request: ChatRequest | None = None
    estimate: int = 0
    strict_calls: bool = False
    live_calls: bool = False
    plain: bool = False
    text: str = ""

    @property
    def n_tokens(self) -> int:
        """How long it is, as exactly as is known here."""
        return len(self.ids) or self.estimate


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
        completion: Completion,
        messages: tuple[Message, ...],
        request: ChatRequest,
    ) -> Prompt:
        """The next prompt of a transcript: `prompt`, what was generated after it, what the template
        puts around `messages` (tool results that follow the generated assistant turn), and the
        opening of the next assistant turn. Where there are ids, prompt.ids and those of the
        completion are a prefix of the result, so nothing is recomputed. `request` gives tools,
        tool_choice, sampling and limits of the next generation; its messages are not read."""
        ...

    def stream(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        """Events ending in Done. Closing the iterator cancels the generation.

        With `n` continuations their events are mixed, `choice` tells them apart, and each has its
        own Done.
        """
        ...

    async def complete(self, prompt: Prompt) -> Completion:
        """The fold of `stream`, of the first continuation."""
        ...

    async def stop_thinking(self, name: str) -> bool:
        """Close the thought that the running generation of this name is in.

        False when it is not in one. Raises NotFound when no such generation is running.
        """
        ...

    def locate(
        self, prompt: Prompt, texts: Sequence[str], since: int = 0
    ) -> tuple[TokenRange | None, ...]:
        """Where these texts stand in the prompt's ids, looked for one behind the other from token
        `since` on. A span holds only tokens of its text, and the line end behind it. None for a
        text that is not there, or where a prompt has no ids."""
        ...

    async def edit(self, edit: Edit) -> Edited:
        """Change what the engine has cached; `chat.edits` makes edits of prompts.

        A chat that keeps no cells of its own does nothing, which is Edited(0, 0): the next request
        is computed as if it were new. Raises EngineCrashed, NotFound (a name), or RequestError.
        """
        ...
