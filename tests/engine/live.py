"""A real engine under test: how it is loaded, asked, and seen to be at rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_agent.chat.vocab import Vocab
from edge_agent.engine.client import EngineClient
from edge_agent.engine.engine import Engine
from edge_agent.engine.pace import Pace
from edge_agent.engine.params import (
    Finished,
    GenerateParams,
    LoadSpec,
    SamplingParams,
    TokenLogprobs,
    Tokens,
)
from edge_agent.errors import EdgeAgentError

GREEDY = SamplingParams(temperature=0)
N_CTX = 2048


def spec_of(path: Path, **changes: Any) -> LoadSpec:
    # one thread: threads of llama.cpp spin, and crawl where another process has a core
    defaults = {"n_ctx": N_CTX, "n_batch": 256, "n_parallel": 4, "n_threads": 1}
    return LoadSpec(path=str(path), **{**defaults, **changes})  # type: ignore[arg-type]


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
    """The engine's counts once nothing runs; fails after some seconds."""
    for _ in range(500):
        counts = await engine.stats()
        if counts["running"] == counts["waiting"] == counts["slots_busy"] == 0:
            return counts
        await asyncio.sleep(0.02)
    raise AssertionError(f"still busy: {counts}")


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
