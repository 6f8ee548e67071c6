"""Implements `messages.Chat` over an OpenAI-compatible server elsewhere."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from edge_agent.chat.constraints import Turn, callable_tools, grammar_for
from edge_agent.chat.fold import folded
from edge_agent.chat.formats import FORMATS
from edge_agent.chat.messages import (
    ChatRequest,
    Completion,
    Event,
    Message,
    Prompt,
    TokenRange,
)
from edge_agent.chat.model import new_call_id
from edge_agent.chat.prompt import visible
from edge_agent.chat.remote.counting import Counter
from edge_agent.chat.remote.faults import RefusedError
from edge_agent.chat.remote.link import Link
from edge_agent.chat.remote.probe import About
from edge_agent.chat.remote.reply import Reading, ReplyReader
from edge_agent.chat.remote.terms import (
    Terms,
    Yielded,
    ignores_schemas,
    ignores_tools,
    terms_for,
    yielded,
)
from edge_agent.chat.remote.wire import Json, body_of, is_forced, limits_thoughts
from edge_agent.engine.params import Edit, Edited, GenerateParams, SamplingParams
from edge_agent.errors import ContextOverflow, EngineError, NotSupported, RequestError

MOST_TERMS = 12  # times one request is sent again with less in it
NO_BUDGET = "The backend has no limit on thinking of its own: only max_tokens bounds a thought."
NO_EDITS = (
    "The backend's cache cannot be edited from here: what a folded or rolled back conversation "
    "still holds is sent again."
)
LEAST_ROOM = 16  # tokens an answer is given where the estimate leaves none


class RemoteChat:
    """Plain requests for everything: what is kept between two of them is the server's affair.

    n_ctx: tokens one request may use. sampling: used where a request brings none. max_tokens: bound
    of a generation where a request names none. say: hears one line for each thing the server turns
    out not to do. Counts are estimates; the server has the last word on what fits.
    """

    def __init__(
        self,
        link: Link,
        about: About,
        n_ctx: int,
        sampling: SamplingParams,
        say: Callable[[str], None],
        max_tokens: int | None = None,
        name: str | None = None,
        make_id: Callable[[], str] = new_call_id,
    ) -> None:
        self._link = link
        self._model = about.model
        self._n_ctx = n_ctx
        self._sampling = sampling
        self._say = say
        self._max_tokens = max_tokens
        self._name = name or about.model
        self._make_id = make_id
        self._counter = Counter(about.sample_tokens)
        self._terms = terms_for(about.kind)
        self._told: set[str] = set()

    @property
    def name(self) -> str:
        """The name by which clients know the model."""
        return self._name

    @property
    def n_ctx(self) -> int:
        """Tokens one request may use, prompt and generation together."""
        return self._n_ctx

    def count(self, text: str) -> int:
        """Tokens of a plain text, rather too many than too few."""
        return self._counter.text(text)

    def prepare(self, request: ChatRequest) -> Prompt:
        """See `messages.Chat.prepare`. A prompt too long by the estimate is sent all the same."""
        if not request.messages:
            raise RequestError("There are no messages: send at least one.", "messages")
        return self._prompt(request, self._counter.request(request))

    def extend(
        self,
        prompt: Prompt,
        completion: Completion,
        messages: tuple[Message, ...],
        request: ChatRequest,
    ) -> Prompt:
        """See `messages.Chat.extend`. Here a prompt too long by the estimate is refused: a
        transcript can be folded."""
        if prompt.request is None:
            raise RequestError("This prompt is of another model: prepare it here first.")
        before, usage = prompt.request, completion.done.usage
        text = before.prefill + completion.text
        said = Message("assistant", text, completion.thought or None, completion.tool_calls)
        begun = (usage.prompt_tokens or prompt.estimate) + usage.completion_tokens
        n_tokens = begun + self._counter.messages(messages)
        if n_tokens >= self._n_ctx:
            raise ContextOverflow(n_tokens, self._n_ctx)
        whole = (*before.messages, said, *messages)
        return self._prompt(replace(request, messages=whole), n_tokens)

    def _prompt(self, request: ChatRequest, estimate: int) -> Prompt:
        _check(request)
        tools = callable_tools(request)
        return Prompt(
            (),
            GenerateParams(max_tokens=self._limit(request, estimate), n=request.n),
            tool_names=frozenset(tool.name for tool in tools),
            stop=request.stop,
            tools=tools,
            request=request,
            estimate=estimate,
        )

    def _limit(self, request: ChatRequest, estimate: int) -> int | None:
        """A limit that fits behind the prompt, since some servers refuse what may not; where the
        request names none the server's own end of the window is the limit."""
        wanted = request.max_tokens or self._max_tokens
        return wanted and min(wanted, max(self._n_ctx - estimate, LEAST_ROOM))

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        """See `messages.Chat.stream`."""
        if prompt.request is None:
            raise RequestError("This prompt is of another model: prepare it here first.")
        for _ in range(MOST_TERMS):
            terms = self._terms
            body = self._body(prompt, prompt.request, terms)
            try:
                async with aclosing(self._attempt(prompt, prompt.request, terms, body)) as events:
                    async for event in events:
                        yield event
                return
            except RefusedError as refusal:
                prompt = self._given_way(prompt, body, terms, refusal)
        raise EngineError("The backend refuses one field after another: it cannot be used.")

    def _body(self, prompt: Prompt, request: ChatRequest, terms: Terms) -> Json:
        if request.thinking_budget and not limits_thoughts(terms.kind):
            self._tell(NO_BUDGET)
        sampling = request.sampling or self._sampling
        return body_of(request, terms, self._model, sampling, prompt.params.max_tokens)

    async def _attempt(
        self, prompt: Prompt, request: ChatRequest, terms: Terms, body: Json
    ) -> AsyncGenerator[Event, None]:
        reader = ReplyReader(self._reading(prompt, request, terms))
        async with aclosing(self._link.stream(body)) as pieces:
            async for data in pieces:
                for event in reader.feed(data):
                    yield event
                if reader.over:
                    break
        for event in reader.end():
            yield event
        self._learn(request, terms, reader)

    def _reading(self, prompt: Prompt, request: ChatRequest, terms: Terms) -> Reading:
        return Reading(
            self._link.where,
            self._model,
            request,
            prompt.tools,
            request.response_schema if terms.schema != "json_schema" else None,
            prompt.estimate,
            self.count,
            self._make_id,
        )

    def _learn(self, request: ChatRequest, terms: Terms, reader: ReplyReader) -> None:
        """What a server accepts and does not do is asked for in words from then on."""
        forced = is_forced(request)
        if forced and terms.tools == "field" and reader.called_nothing:
            self._yield(terms, ignores_tools(terms))
        shaped = request.response_schema is not None and not forced
        if shaped and terms.schema != "words" and reader.broke_schema:
            self._yield(terms, ignores_schemas(terms))

    def _given_way(self, prompt: Prompt, body: Json, terms: Terms, refusal: RefusedError) -> Prompt:
        """The prompt to send next, after the terms gave way; raises what cannot be helped."""
        error = refusal.error
        if isinstance(error, ContextOverflow):
            room = error.n_ctx - error.n_prompt_tokens
            limit = prompt.params.max_tokens
            if room < 1 or limit is None or limit <= room:
                raise error from None
            return replace(prompt, params=replace(prompt.params, max_tokens=room))
        less = yielded(terms, body, refusal)
        if less is None:
            raise error from None
        self._yield(terms, less)
        return prompt

    def _yield(self, before: Terms, less: Yielded) -> None:
        """Another request may have changed the terms meanwhile: then its change stands."""
        if self._terms == before:
            self._terms = less.terms
        self._tell(less.line)

    def _tell(self, line: str) -> None:
        if line and line not in self._told:
            self._told.add(line)
            self._say(line)

    async def complete(self, prompt: Prompt) -> Completion:
        """See `messages.Chat.complete`."""
        return await folded(self.stream(prompt))

    async def stop_thinking(self, name: str) -> bool:
        """See `messages.Chat.stop_thinking`; OpenAI's API has no word for it."""
        raise NotSupported("A backend cannot be told to stop thinking: cancel the request instead.")

    def locate(
        self, prompt: Prompt, texts: Sequence[str], since: int = 0
    ) -> tuple[TokenRange | None, ...]:
        """See `messages.Chat.locate`; a prompt that is sent as messages has no ids."""
        return (None,) * len(texts)

    async def edit(self, edit: Edit) -> Edited:
        """See `messages.Chat.edit`."""
        self._tell(NO_EDITS)
        return Edited(0, 0)


def _check(request: ChatRequest) -> None:
    """What a model here would refuse is refused here too, before it is sent anywhere."""
    grammar_for(request, FORMATS["described"], Turn(), lambda text: None)
    shaped = request.response_schema is not None or request.grammar is not None
    if visible(request.prefill) and (shaped or request.tool_choice not in ("auto", "none")):
        raise RequestError(
            "A turn that must obey a grammar or be a tool call cannot begin with text of yours: "
            "leave out the assistant prefill.",
            "messages",
        )
