"""The engine as a subject: prompts are token ids."""

from __future__ import annotations

import json
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

from edge_agent.bench.lacking import Lacking
from edge_agent.bench.stream import Stream
from edge_agent.bench.subject import Ask, Kind, Prompt
from edge_agent.chat.vocab import Vocab
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import (
    Computed,
    Edit,
    Edited,
    Finished,
    GenerateParams,
    LoadSpec,
    SamplingParams,
    Usage,
)
from edge_agent.errors import EdgeAgentError

FIRST_ID = 300  # past the bytes and the control tokens that vocabularies begin with
WARM_UP_TOKENS = 128


class NativeSubject:
    """See `Subject`; what only the engine can do is below it."""

    def __init__(self, engine: EngineClient, vocab: Vocab, draw: random.Random) -> None:
        self._engine = engine
        self._vocab = vocab
        self._draw = draw

    @property
    def engine(self) -> EngineClient:
        """Started."""
        return self._engine

    def new(self, n_tokens: int) -> Prompt:
        top = self._engine.info.n_vocab // 2
        least = min(FIRST_ID, top - 1)
        return tuple(self._draw.randrange(least, top) for _ in range(n_tokens))

    def text(self, text: str) -> Prompt:
        return tuple(self._vocab.encode(text))

    def longer(self, prompt: Prompt, n_tokens: int) -> Prompt:
        return (*prompt, *self.new(n_tokens))

    def after(self, prompt: Prompt, written: Stream, n_tokens: int) -> Prompt:
        return (*prompt, *written.ids, *self.new(n_tokens))

    async def follow(self, ask: Ask, stream: Stream) -> AsyncGenerator[Stream, None]:
        stream.began = time.perf_counter()
        usage = Usage()
        async with aclosing(self._engine.submit(ask.prompt, _params(ask))) as items:
            async for item in items:
                if isinstance(item, Finished):
                    usage += item.usage
                    continue
                if isinstance(item, Computed):
                    continue
                stream.times.append(time.perf_counter())
                stream.weights.append(len(item.ids))
                stream.ids.extend(item.ids)
                stream.continuations.add(item.index)
                yield stream
        stream.ended = time.perf_counter()
        _note(usage, stream)

    async def edit(self, edit: Edit) -> Edited:
        """Change what is cached; raises Lacking where this engine or model cannot."""
        try:
            return await self._engine.edit(edit)
        except EdgeAgentError as error:
            raise Lacking(f"cannot: {error}") from error

    async def computing_s(self) -> float:
        return (await self._engine.counts()).compute_s

    async def idle(self) -> None:
        while True:
            counts = await self._engine.stats()
            if not (counts["running"] or counts["waiting"]):
                return

    def pids(self) -> list[int]:
        pid = self._engine.status.pid
        return [] if pid is None else [pid]


def _params(ask: Ask) -> GenerateParams:
    schema = None if ask.schema is None else f"start: %json {json.dumps(ask.schema)}"
    return GenerateParams(
        SamplingParams(temperature=ask.temperature, seed=ask.seed),
        max_tokens=ask.n_tokens,
        grammar=schema,
        ignore_eos=schema is None,
        n=ask.n,
        speculate=ask.speculate,
        accept_pruned=ask.accept_pruned,
        pin=ask.pin,
    )


def _note(usage: Usage, stream: Stream) -> None:
    stream.prompt_tokens, stream.cached_tokens = usage.prompt_tokens, usage.cached_tokens
    stream.drafted_tokens, stream.accepted_tokens = usage.drafted_tokens, usage.accepted_tokens
    stream.forced_tokens = usage.forced_tokens


class NativeContender:
    """The engine in its process, without a server before it."""

    def __init__(self, vocab: Vocab, draw: random.Random, say: Callable[[str], None]) -> None:
        self._vocab = vocab
        self._draw = draw
        self._say = say

    @property
    def name(self) -> str:
        return "engine"

    @property
    def kind(self) -> Kind:
        return "engine"

    @asynccontextmanager
    async def open(self, spec: LoadSpec) -> AsyncIterator[NativeSubject]:
        """See `Contender.open`."""
        engine = EngineClient(spec, self._say)
        try:
            await engine.start()
            subject = NativeSubject(engine, self._vocab, self._draw)
            warm = Ask(subject.new(min(WARM_UP_TOKENS, spec.n_batch)), 8)
            async for _ in subject.follow(warm, Stream()):
                pass
            yield subject
        finally:
            await engine.close()
