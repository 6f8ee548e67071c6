"""A model one can talk to: messages to a prompt, a prompt to events."""

from __future__ import annotations

import secrets
import string
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from edge_agent.chat.biases import checked
from edge_agent.chat.constraints import Turn, callable_tools, grammar_for
from edge_agent.chat.fold import folded
from edge_agent.chat.formats import CALL_CLOSE, CALL_OPEN, THINK_CLOSE, THINK_OPEN, detect
from edge_agent.chat.least import room_to_close
from edge_agent.chat.locate import located
from edge_agent.chat.messages import (
    ChatRequest,
    Completion,
    Done,
    Event,
    Message,
    Prompt,
    TokenRange,
)
from edge_agent.chat.pins import pinned
from edge_agent.chat.prompt import PromptWriter, Rendered, visible
from edge_agent.chat.reader import Reader, read_all
from edge_agent.chat.spoken import Spoken
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.texts import LocalTexts
from edge_agent.chat.thinking import settled, thought_limit
from edge_agent.chat.vocab import Vocabulary
from edge_agent.engine.params import (
    Edit,
    Edited,
    GenerateParams,
    SamplingParams,
    TokenEngine,
)
from edge_agent.errors import ContextOverflow, NotFound, RequestError

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
        self._running: set[str] = set()  # names of generations
        self._spoken = Spoken(vocab.control)

    @property
    def name(self) -> str:
        """The name by which clients know the model."""
        return self._name

    @property
    def n_ctx(self) -> int:
        """Tokens one request may use, prompt and generation together."""
        return self._n_ctx

    @property
    def texts(self) -> LocalTexts:
        """The same model, asked with plain text."""
        return LocalTexts(
            self._vocab,
            self._engine,
            self._writer,
            self._form,
            self._n_ctx,
            self._sampling,
            self._max_tokens,
        )

    def count(self, text: str) -> int:
        """Tokens of a plain text."""
        return self._vocab.count(text)

    def prepare(self, request: ChatRequest) -> Prompt:
        """Render, encode, check the fit, constrain. See `messages.Chat.prepare`."""
        request = settled(request)
        rendered = self._writer.conversation(request)
        ids = self._begun(rendered, request.fresh)
        pin = pinned(
            request, ids, lambda other: self._begun(self._writer.conversation(other), other.fresh)
        )
        return replace(self._prompt(ids, rendered, request, pin), text=rendered.text)

    def _begun(self, rendered: Rendered, fresh: bool) -> tuple[int, ...]:
        known, rest = ((), rendered.text) if fresh else self._spoken.recall(rendered.text)
        ids = known + tuple(self._writer.ids(rest))
        begin = self._vocab.bos_ids
        return ids if ids[:1] == begin else begin + ids

    def extend(
        self,
        prompt: Prompt,
        completion: Completion,
        messages: tuple[Message, ...],
        request: ChatRequest,
    ) -> Prompt:
        """See `messages.Chat.extend`."""
        request = settled(request)
        rendered = self._writer.continuation(messages, request)
        ids = prompt.ids + completion.done.ids + tuple(self._writer.ids(rendered.text))
        longer = self._prompt(ids, rendered, request, prompt.params.pin if request.pin else 0)
        pruned = prompt.params.accept_pruned
        return replace(longer, params=replace(longer.params, accept_pruned=pruned))

    def _prompt(
        self, ids: tuple[int, ...], rendered: Rendered, request: ChatRequest, pin: int
    ) -> Prompt:
        if len(ids) >= self._n_ctx:
            raise ContextOverflow(len(ids), self._n_ctx)
        tools = callable_tools(request)
        return Prompt(
            ids,
            replace(self._params(len(ids), rendered, request), pin=pin),
            rendered.opens_thought,
            frozenset(tool.name for tool in tools),
            request.stop,
            tools,
            strict_calls=request.strict_calls,
            live_calls=request.live_calls,
        )

    def _params(self, n_prompt: int, rendered: Rendered, request: ChatRequest) -> GenerateParams:
        limits = (request.max_tokens or self._max_tokens, self._n_ctx - n_prompt)
        limit = min(limit for limit in limits if limit)
        return GenerateParams(
            sampling=self._sampling_of(request),
            max_tokens=limit,
            grammar=self._grammar(rendered, request),
            priority=request.priority,
            n=request.n,
            n_logprobs=request.n_logprobs,
            ignore_eos=request.ignore_eos,
            progress=request.progress,
            thought=thought_limit(request, self._form, rendered, self._vocab),
            speculate=request.speculate,
            fresh=request.fresh,
            name=request.name,
            closing=room_to_close(request, self._vocab.count, limit),
            free_end=bool(callable_tools(request)) and request.grammar is None,
        )

    def _sampling_of(self, request: ChatRequest) -> SamplingParams:
        """The request's sampling; with tools it must not call, the call token is banned."""
        sampling = checked(request.sampling or self._sampling, self._engine.info.n_vocab)
        token = self._vocab.token_id(CALL_OPEN)
        if token is None or not request.tools or request.tool_choice != "none":
            return sampling
        return sampling.with_(logit_bias=(*sampling.logit_bias, (token, _BAN)))

    def _grammar(self, rendered: Rendered, request: ChatRequest) -> str | None:
        thinks = self._form.thinks and request.thinking is not False
        turn = Turn(rendered.opens_thought, thinks and not rendered.thought_over)
        grammar = grammar_for(request, self._form, turn, self._vocab.token_id)
        shaped = request.response_schema is not None or request.grammar is not None
        free = not shaped and request.tool_choice in ("auto", "none")
        if grammar and not free and visible(request.prefill):
            raise RequestError(
                "A turn that must obey a grammar or be a tool call cannot begin with text of "
                "yours: leave out the assistant prefill.",
                "messages",
            )
        return grammar

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        """See `messages.Chat.stream`."""
        readers = [self._reader(prompt, choice) for choice in range(prompt.params.n)]
        tokens = self._engine.submit(prompt.ids, prompt.params)
        self._running.add(prompt.params.name)
        try:
            async with aclosing(read_all(tokens, readers)) as events:
                async for event in events:
                    if isinstance(event, Done) and prompt.text:
                        self._remember(prompt, event)
                    yield event
        finally:
            self._running.discard(prompt.params.name)

    def _remember(self, prompt: Prompt, done: Done) -> None:
        ids = done.ids
        if done.reason == "tool_calls":  # a blank behind a call is no part of what comes back
            while ids and self._vocab.piece(ids[-1]).isspace():
                ids = ids[:-1]
        said = b"".join(map(self._vocab.piece, ids)).decode(errors="replace")
        self._spoken.remember(prompt.text + said, prompt.ids + ids)

    def _reader(self, prompt: Prompt, choice: int) -> Reader:
        return Reader(self._vocab, self._hidden, prompt, self._make_id, choice)

    async def complete(self, prompt: Prompt) -> Completion:
        """See `messages.Chat.complete`."""
        return await folded(self.stream(prompt))

    async def stop_thinking(self, name: str) -> bool:
        """See `messages.Chat.stop_thinking`."""
        if not name or name not in self._running:
            raise NotFound(f"No generation named {name!r} is running: it may have ended.")
        return await self._engine.stop_thinking(name)

    def locate(
        self, prompt: Prompt, texts: Sequence[str], since: int = 0
    ) -> tuple[TokenRange | None, ...]:
        """See `messages.Chat.locate`."""
        pieces = [self._vocab.piece(token) for token in prompt.ids[since:]]
        return located(pieces, texts, since)

    async def edit(self, edit: Edit) -> Edited:
        """See `messages.Chat.edit`."""
        return await self._engine.edit(edit)
