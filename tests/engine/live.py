"""A real engine under test: how it is loaded, asked, and seen to be at rest."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.chat.vocab import Vocab
from edge_agent.engine.client import EngineClient
from edge_agent.engine.core.engine import Engine
from edge_agent.engine.core.llama import Llama, Span
from edge_agent.engine.core.pace import Pace
from edge_agent.engine.kv.cache import PrefixCache
from edge_agent.engine.kv.edits import Editor
from edge_agent.engine.kv.vault import Vault
from edge_agent.engine.params import (
    Finished,
    GenerateParams,
    LoadSpec,
    SamplingParams,
    TokenLogprobs,
    Tokens,
)
from edge_agent.errors import EdgeAgentError
from tests.patience import HANG_S

GREEDY = SamplingParams(temperature=0)
N_CTX = 2048


def spec_of(path: Path, **changes: Any) -> LoadSpec:
    # one thread: threads of llama.cpp spin, and crawl where another process has a core
    defaults = {"n_ctx": N_CTX, "n_batch": 256, "n_parallel": 4, "n_threads": 1}
    return LoadSpec(path=str(path), **{**defaults, **changes})


def chat(vocab: Vocab, text: str) -> list[int]:
    return vocab.encode(f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n")


# through the process


async def generate(
    engine: EngineClient, prompt: list[int], n: int | None = 24, **params: object
) -> tuple[list[int], Finished]:
    ids: list[int] = []
    request = GenerateParams(**{"sampling": GREEDY, "max_tokens": n, **params})  # type: ignore[arg-type]
    async for item in engine.submit(prompt, request):
        if isinstance(item, Finished):
            return ids, item
        ids.extend(item.ids)
    raise AssertionError("the stream ended without Finished")


async def idle(engine: EngineClient) -> dict[str, int]:
    """The engine's counts once nothing runs; fails when it never comes to rest."""
    end = time.monotonic() + HANG_S
    while True:
        counts = await engine.stats()
        if counts["running"] == counts["waiting"] == counts["slots_busy"] == 0:
            return counts
        assert time.monotonic() < end, f"still busy: {counts}"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def all_busy(engine: EngineClient, n: int) -> AsyncIterator[None]:
    """All its `n` sequences are taken while the block runs: what is asked of it waits."""
    forever = GenerateParams(GREEDY, ignore_eos=True)
    held = [engine.submit([1000 + i, 2000, 3000], forever) for i in range(n)]
    for stream in held:
        await anext(stream)
    try:
        yield
    finally:
        for stream in held:
            await stream.aclose()


# in this process, a step at a time


@dataclass(slots=True)
class Written:
    """What one continuation has produced."""

    ids: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprobs] = field(default_factory=list)
    last: Finished | None = None

    @property
    def finished(self) -> Finished:
        assert self.last is not None, "it has not ended"
        return self.last


class Bench:
    """An engine that takes a step when the test says so."""

    def __init__(self, path: Path, pace: Pace | None = None, **changes: Any) -> None:
        self.log: list[str] = []
        # not repacked: such kernels crash on a processor with AMX, which only the child survives
        spec = spec_of(path, use_extra_bufts=False, **changes)
        self.engine = Engine(spec, self._push, self.log.append, pace)
        self.written: dict[int, dict[int, Written]] = {}
        self.errors: dict[int, EdgeAgentError] = {}

    def _push(self, id: int, item: Tokens | Finished | EdgeAgentError) -> None:
        assert id not in self.errors, "something after an error"
        if isinstance(item, EdgeAgentError):
            self.errors[id] = item
            return
        written = self.written[id].setdefault(item.index, Written())
        assert written.last is None, "something after the end"
        if isinstance(item, Finished):
            written.last = item
        else:
            assert item.ids, "tokens without a token"
            assert len(item.logprobs) in (0, len(item.ids))
            written.ids += item.ids
            written.logprobs += item.logprobs

    def submit(self, prompt: Sequence[int], most: int | None = 24, **params: Any) -> int:
        """The request's id; `most` tokens of each continuation."""
        id = len(self.written) + 1
        self.written[id] = {}
        request = GenerateParams(**{"sampling": GREEDY, "max_tokens": most, **params})
        self.engine.submit(id, list(prompt), request)
        return id

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Take steps until nothing is left to do, or so long."""
        for _ in range(20_000):
            if until() or not self.engine.has_work:
                return
            self.engine.step()
        raise AssertionError("it does not come to an end")

    def first(self, id: int) -> Written:
        """The first continuation, from its beginning."""
        self.run(lambda: 0 in self.written[id])
        return self.written[id][0]

    def generate(self, prompt: Sequence[int], most: int | None = 24, **params: Any) -> Written:
        """One request, from its first to its last token."""
        return self.continuations(prompt, most, **params)[0]

    def continuations(
        self, prompt: Sequence[int], most: int | None = 24, **params: Any
    ) -> list[Written]:
        """All of one request, by index."""
        id = self.submit(prompt, most, **params)
        self.run()
        if id in self.errors:
            raise self.errors[id]
        return [written for _, written in sorted(self.written[id].items())]

    def check(self) -> dict[str, int]:
        """The counts, which must be right whatever is running."""
        counts = self.engine.stats()
        assert counts["slots_wrong"] == 0
        assert counts["cells_free"] + counts["cells_held"] == counts["cells"]
        assert counts["slots_busy"] == counts["running"]
        return counts


@contextmanager
def bench_of(path: Path, pace: Pace | None = None, **changes: Any) -> Iterator[Bench]:
    """A bench that is closed at the end, when all its books must be right."""
    bench = Bench(path, pace, **changes)
    try:
        yield bench
        bench.run()
        assert bench.check()["slots_busy"] == 0
    finally:
        bench.engine.close()


class Desk:
    """The cells of a real model with their cache and edits, and no scheduler."""

    def __init__(self, path: Path, vault: Vault | None = None, **changes: Any) -> None:
        spec = spec_of(path, use_extra_bufts=False, **{"n_ctx": 1024, **changes})
        self.llama = Llama(spec, n_seq_max=6, n_draft=0, log=lambda _: None)
        self.vault = vault or Vault(1 << 30, None)
        self.cache = PrefixCache(self.llama, self.llama.info.n_ctx, 6, self.vault)
        self.editor = Editor(self.cache, self.vault)

    def feed(self, slot: int, ids: Sequence[int], chunk: int = 32) -> NDArray[np.float32]:
        """The logits behind `ids`, which are computed so many at a time."""
        first = [0]
        for at in range(0, len(ids), chunk):
            part = ids[at : at + chunk]
            assert self.cache.make_room(len(part))
            result, first = self.llama.decode([Span(slot, len(self.cache.ids(slot)), part, 1)])
            assert result == "ok"
            self.cache.extend(slot, part)
        logits: NDArray[np.float32] = self.llama.logits(first[0]).copy()
        return logits

    def ask(
        self, ids: Sequence[int], accept_pruned: bool = False
    ) -> tuple[int, int, NDArray[np.float32]]:
        """A slot with `ids`, how many it had already, and the logits behind them."""
        held = self.cache.acquire(ids, accept_pruned)
        assert held is not None
        return *held, self.feed(held[0], ids[held[1] :])

    def go_on(self, slot: int, logits: NDArray[np.float32], n: int) -> list[int]:
        """The greedy continuation behind `logits`."""
        ids: list[int] = []
        for _ in range(n):
            ids.append(int(logits.argmax()))
            logits = self.feed(slot, ids[-1:])
        return ids

    def check(self) -> None:
        """What llama.cpp holds is what the record says."""
        lengths = self.cache.lengths
        assert [self.llama.length(i) for i in range(len(lengths))] == lengths


@contextmanager
def desk_of(path: Path, vault: Vault | None = None, **changes: Any) -> Iterator[Desk]:
    desk = Desk(path, vault, **changes)
    try:
        yield desk
        desk.check()
    finally:
        desk.llama.close()


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = logits.astype(np.float64)
    wide -= wide.max()
    return np.asarray(wide - np.log(np.exp(wide).sum()))
