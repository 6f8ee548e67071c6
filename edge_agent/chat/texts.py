"""The text side of a model on this device. See `text.TextModel`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from edge_agent.chat.biases import checked
from edge_agent.chat.constraints import Turn, grammar_for
from edge_agent.chat.detokenizer import Detokenizer
from edge_agent.chat.formats import Format
from edge_agent.chat.messages import ChatRequest, Event, Prompt
from edge_agent.chat.prompt import CUT, PromptWriter
from edge_agent.chat.reader import Reader, read_all
from edge_agent.chat.text import TextRequest
from edge_agent.chat.thinking import settled
from edge_agent.chat.vocab import Vocabulary
from edge_agent.engine.params import GenerateParams, SamplingParams, TokenEngine
from edge_agent.errors import ContextOverflow, RequestError


class LocalTexts:
    """Implements `text.TextModel`; the defaults are those of the chat beside it."""

    def __init__(
        self,
        vocab: Vocabulary,
        engine: TokenEngine,
        writer: PromptWriter,
        form: Format,
        n_ctx: int,
        sampling: SamplingParams,
        max_tokens: int | None,
    ) -> None:
        self._vocab = vocab
        self._engine = engine
        self._writer = writer
        self._form = form
        self._n_ctx = n_ctx
        self._sampling = sampling
        self._max_tokens = max_tokens

    @property
    def path(self) -> str:
        return self._engine.info.path

    @property
    def bos(self) -> str:
        return self._vocab.bos

    @property
    def eos(self) -> str:
        return self._vocab.eos

    @property
    def bos_ids(self) -> tuple[int, ...]:
        return self._vocab.bos_ids

    @property
    def eog_ids(self) -> frozenset[int]:
        return self._vocab.eog_ids

    @property
    def n_vocab(self) -> int:
        return self._engine.info.n_vocab

    @property
    def template(self) -> str:
        return self._writer.template

    def encode(self, text: str, special: bool = True) -> list[int]:
        return self._vocab.encode(text, special)

    def token_id(self, text: str) -> int | None:
        return self._vocab.token_id(text)

    def piece(self, token: int) -> bytes:
        if not 0 <= token < self.n_vocab:
            raise RequestError(
                f"{token} is not a token of this model: they go from 0 to {self.n_vocab - 1}."
            )
        return self._vocab.piece(token)

    def text(self, ids: Sequence[int]) -> str:
        characters = Detokenizer()
        return characters.feed(b"".join(map(self.piece, ids))) + characters.flush()

    def render(self, request: ChatRequest) -> str:
        """See `text.TextModel.render`; what is kept from being special is shown too."""
        return self._writer.conversation(settled(request)).text.replace(CUT, "")

    def prepare(self, request: TextRequest) -> Prompt:
        """See `text.TextModel.prepare`."""
        ids = self._ids(request)
        if len(ids) >= self._n_ctx:
            raise ContextOverflow(len(ids), self._n_ctx)
        return Prompt(ids, self._params(len(ids), request), stop=request.stop, plain=True)

    def _ids(self, request: TextRequest) -> tuple[int, ...]:
        ids: list[int] = []
        for part in request.prompt:
            ids += self._vocab.encode(part) if isinstance(part, str) else [part]
        begin = self._vocab.bos_ids
        spelled = not request.prompt or isinstance(request.prompt[0], str)
        if request.whole and spelled and tuple(ids[: len(begin)]) != begin:
            ids = [*begin, *ids]
        if not ids:
            raise RequestError("The prompt is empty: send at least one token.", "prompt")
        return tuple(ids)

    def _params(self, n_prompt: int, request: TextRequest) -> GenerateParams:
        limit = self._max_tokens if request.max_tokens is None else request.max_tokens
        left = self._n_ctx - n_prompt
        shape = ChatRequest((), response_schema=request.response_schema, grammar=request.grammar)
        return GenerateParams(
            sampling=checked(request.sampling or self._sampling, self.n_vocab),
            max_tokens=left if limit is None else min(limit, left),
            grammar=grammar_for(shape, self._form, Turn(), self._vocab.token_id),
            ignore_eos=request.ignore_eos,
            priority=request.priority,
            n=request.n,
            n_logprobs=request.n_logprobs,
            speculate=request.speculate,
            fresh=request.fresh,
            name=request.name,
            progress=request.progress,
            drawn=request.drawn,
        )

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        """See `text.TextModel.stream`."""
        hidden = {self._vocab.token_id(text) for text in self._vocab.control}
        readers = [Reader(self._vocab, hidden, prompt, str, i) for i in range(prompt.params.n)]
        tokens = self._engine.submit(prompt.ids, prompt.params)
        async with aclosing(read_all(tokens, readers)) as events:
            async for event in events:
                yield event
