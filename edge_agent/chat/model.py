"""A model one can talk to: messages to a prompt, a prompt to events."""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import AsyncGenerator, Callable
from typing import Literal

from edge_agent.chat.constraints import Turn, callable_tools, grammar_for
from edge_agent.chat.detokenizer import Detokenizer
from edge_agent.chat.formats import CALL_CLOSE, CALL_OPEN, THINK_CLOSE, THINK_OPEN, detect
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
    ToolSpec,
)
from edge_agent.chat.parser import StreamParser
from edge_agent.chat.prompt import PromptWriter, Rendered, visible
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.vocab import Vocabulary
from edge_agent.engine.params import (
    Finished,
    FinishReason,
    GenerateParams,
    SamplingParams,
    TokenEngine,
    Usage,
)
from edge_agent.errors import ContextOverflow, EngineError, RequestError

_ALPHANUMERIC = string.ascii_letters + string.digits
_BAN = -100.0  # added to a logit, as OpenAI's logit_bias means it
_SHOWN = frozenset({THINK_OPEN, THINK_CLOSE, CALL_OPEN, CALL_CLOSE})


def new_call_id() -> str:
    """An id for a tool call: `call_` and 24 random letters and digits."""
    return "call_" + "".join(secrets.choice(_ALPHANUMERIC) for _ in range(24))


class ChatModel:
    """Implements `messages.Chat` over an engine.

    n_ctx: tokens one request may use. sampling: used where a request brings none.
    max_tokens: bound of a generation where a request names none; None is the rest of the window.
    """

    def __init__(
        self,
        name: str,
        vocab: Vocabulary,
        engine: TokenEngine,
        template: ChatTemplate,
        n_ctx: int,
        sampling: SamplingParams,
        max_tokens: int | None = None,
        make_id: Callable[[], str] = new_call_id,
    ) -> None:
        self._name = name
        self._vocab = vocab
        self._engine = engine
        self._n_ctx = n_ctx
        self._sampling = sampling
        self._max_tokens = max_tokens
        self._make_id = make_id
        self._form = detect(template.source, vocab.token_id(THINK_OPEN) is not None)
        self._writer = PromptWriter(vocab, template, self._form)
        self._hidden = {vocab.token_id(text) for text in vocab.control - _SHOWN}

    @property
    def name(self) -> str:
        """The name by which clients know the model."""
        return self._name

    @property
    def n_ctx(self) -> int:
        """Tokens one request may use, prompt and generation together."""
        return self._n_ctx

    def count(self, text: str) -> int:
        """Tokens of a plain text."""
        return self._vocab.count(text)

    def prepare(self, request: ChatRequest) -> Prompt:
        """Render, encode, check the fit, constrain. See `messages.Chat.prepare`."""
        rendered = self._writer.conversation(request)
        ids = tuple(self._writer.ids(rendered.text))
        if ids[:1] != self._vocab.bos_ids:
            ids = self._vocab.bos_ids + ids
        return self._prompt(ids, rendered, request)

    def extend(
        self,
        prompt: Prompt,
        generated: tuple[int, ...],
        messages: tuple[Message, ...],
        request: ChatRequest,
    ) -> Prompt:
        """See `messages.Chat.extend`."""
        rendered = self._writer.continuation(messages, request)
        ids = prompt.ids + generated + tuple(self._writer.ids(rendered.text))
        return self._prompt(ids, rendered, request)

    def _prompt(self, ids: tuple[int, ...], rendered: Rendered, request: ChatRequest) -> Prompt:
        if len(ids) >= self._n_ctx:
            raise ContextOverflow(len(ids), self._n_ctx)
        tools = callable_tools(request)
        return Prompt(
            ids,
            self._params(len(ids), rendered, request),
            rendered.opens_thought,
            frozenset(tool.name for tool in tools),
            request.stop,
            tools,
        )

    def _params(self, n_prompt: int, rendered: Rendered, request: ChatRequest) -> GenerateParams:
        limits = (request.max_tokens or self._max_tokens, self._n_ctx - n_prompt)
        return GenerateParams(
            sampling=self._sampling_of(request),
            max_tokens=min(limit for limit in limits if limit),
            grammar=self._grammar(rendered, request),
            priority=request.priority,
        )

    def _sampling_of(self, request: ChatRequest) -> SamplingParams:
        """The request's sampling; with tools it must not call, the call token is banned."""
        sampling = request.sampling or self._sampling
        n_vocab = self._engine.info.n_vocab
        foreign = [token for token, _ in sampling.logit_bias if not 0 <= token < n_vocab]
        if foreign:
            raise RequestError(
                f"logit_bias: {foreign[0]} is not a token id of this model, which has {n_vocab}.",
                "logit_bias",
            )
        token = self._vocab.token_id(CALL_OPEN)
        if token is None or not request.tools or request.tool_choice != "none":
            return sampling
        return sampling.with_(logit_bias=(*sampling.logit_bias, (token, _BAN)))

    def _grammar(self, rendered: Rendered, request: ChatRequest) -> str | None:
        thinks = self._form.thinks and request.thinking is not False
        turn = Turn(rendered.opens_thought, thinks and not rendered.thought_over)
        grammar = grammar_for(request, self._form, turn, self._vocab.token_id)
        free = request.response_schema is None and request.tool_choice in ("auto", "none")
        if grammar and not free and visible(request.prefill):
            raise RequestError(
                "A turn that must be JSON or a tool call cannot begin with text of yours: "
                "leave out the assistant prefill.",
                "messages",
            )
        return grammar

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        """See `messages.Chat.stream`."""
        reader = _Reader(self._vocab, self._hidden, prompt, self._make_id)
        tokens = self._engine.submit(prompt.ids, prompt.params)
        try:
            async for item in tokens:
                for event in reader.read(item.ids) if not isinstance(item, Finished) else ():
                    yield event
                if isinstance(item, Finished) or reader.stopped:
                    break
            for event in reader.end(item if isinstance(item, Finished) else None):
                yield event
        finally:
            await tokens.aclose()

    async def complete(self, prompt: Prompt) -> Completion:
        """See `messages.Chat.complete`."""
        events = [event async for event in self.stream(prompt)]
        done = events[-1]
        if not isinstance(done, Done):
            raise EngineError("The generation ended without saying why: try again.")
        return Completion(
            "".join(e.text for e in events if isinstance(e, Text)),
            "".join(e.text for e in events if isinstance(e, Thought)),
            tuple(e for e in events if isinstance(e, ToolCall)),
            done,
        )


class _Reader:
    """One generation: ids in, events out, and the account at the end."""

    def __init__(
        self,
        vocab: Vocabulary,
        hidden: set[int | None],
        prompt: Prompt,
        make_id: Callable[[], str],
    ) -> None:
        self._vocab = vocab
        self._hidden = hidden
        self._prompt = prompt
        self._characters = Detokenizer()
        tools = {name: ToolSpec(name, "", {}) for name in prompt.tool_names}
        tools |= {tool.name: tool for tool in prompt.tools}
        self._parser = StreamParser(tools, make_id, prompt.opens_thought, prompt.stop)
        self._ids: list[int] = []
        self._called = False
        self._started_s = time.monotonic()
        self._first_s: float | None = None

    @property
    def stopped(self) -> bool:
        """Whether a stop string was met."""
        return self._parser.stopped

    def read(self, ids: tuple[int, ...]) -> list[Event]:
        """The events that these ids complete."""
        self._first_s = self._first_s or time.monotonic()
        self._ids += ids
        shown = b"".join(self._vocab.piece(i) for i in ids if i not in self._hidden)
        return self._noted(self._parser.feed(self._characters.feed(shown)))

    def end(self, finished: Finished | None) -> list[Event]:
        """The last events; `finished` is None when a stop string ended the generation."""
        reason: FinishReason = finished.reason if finished else "stop"
        if reason == "cancelled":
            raise EngineError("The engine gave the generation up: send the request again.")
        events = self._noted(self._parser.feed(self._characters.flush()))
        events += self._noted(self._parser.flush(cut=reason == "length"))
        usage = finished.usage if finished else self._usage()
        why: Literal["stop", "length", "tool_calls"] = "tool_calls" if self._called else reason
        return [*events, Done(why, usage, tuple(self._ids), self._parser.malformed)]

    def _noted(self, events: list[Text | Thought | ToolCall]) -> list[Event]:
        self._called = self._called or any(isinstance(e, ToolCall) for e in events)
        return [*events]

    def _usage(self) -> Usage:
        """What can be said of a generation that we ended ourselves."""
        now, first = time.monotonic(), self._first_s or time.monotonic()
        return Usage(
            prompt_tokens=len(self._prompt.ids),
            completion_tokens=len(self._ids),
            prompt_s=first - self._started_s,
            predict_s=now - first,
        )
