"""Many mixed requests at once over too few cells, and then: is anything left behind?

    python -m benchmarks.soak --model NAME --requests 1000 [--seed N] [--json]

Eight at a time: answers that are known from when they were alone (greedy, drawn with a seed,
forked, constrained, penalised, thinking), among requests that are cancelled, refused, pinned,
edited, or too large to run beside others. Exit code 1 when a sequence, slot or cell is left behind,
a book does not agree with llama.cpp, memory grows, an answer that is alone again differs by a bit,
or one under load is further from what it was alone than rounding explains.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.soak_mix import (
    DISTURBANCES,
    GREEDY,
    Answer,
    Probe,
    Scene,
    Tally,
    collect,
    disturb,
    probes,
)
from edge_agent.catalog.catalog import SMALL_MODEL, Catalog
from edge_agent.catalog.pull import pull
from edge_agent.chat.vocab import Vocab
from edge_agent.config import load_settings
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import GenerateParams, LoadSpec, Rollback
from edge_agent.errors import EdgeAgentError

CONCURRENCY = 8
PROBE_SHARE = 0.45  # of the requests have an answer to compare
SAMPLE_EVERY = 50  # requests between two looks at the memory
# An answer under load has its cells where there was room. Where they lie in another order than its
# tokens, attention adds up in another order, and activations rounded to 8 bits make steps of it:
# that alone moved logprobs by 0.29 nats at most and 0.12 in the median (30 prompts, 9 tokens each,
# 135M Q4_1); which other sequences were in the batch, or in the cells, moved none by a bit. In a
# soak of 600 requests 0.10 in the median, 0.43 for one in a hundred, 0.63 at most. Two tokens of a
# prompt swapped moved one answer in ten by more than 1.
LIMIT_NATS = 1.0
LIMIT_MB = 8.0  # growth of either process per 1,000 requests, over the last two thirds
MB = 1e6


@dataclass(slots=True)
class Memory:
    """Resident bytes of the engine and of this process, by requests done."""

    done: list[int] = field(default_factory=list)
    engine: list[int] = field(default_factory=list)
    client: list[int] = field(default_factory=list)

    def look(self, done: int, pid: int) -> None:
        self.done.append(done)
        self.engine.append(psutil.Process(pid).memory_info().rss)
        self.client.append(psutil.Process().memory_info().rss)

    def slope_mb(self, sizes: Sequence[int]) -> float | None:
        """Megabytes per 1,000 requests over the last two thirds: the median of the slopes between
        all pairs of looks (Theil-Sen); None where there are too few."""
        pairs = list(zip(self.done, sizes, strict=True))[len(sizes) // 3 :]
        slopes = [
            (b - a) / (m - n) for i, (n, a) in enumerate(pairs) for m, b in pairs[i + 1 :] if m > n
        ]
        return statistics.median(slopes) * 1000 / MB if len(slopes) >= 10 else None


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome. Nats are natural logarithms of probabilities; memory is in MB."""

    model: str
    requests: int
    seed: int
    seconds: float
    kinds: dict[str, int]
    alone: dict[str, int]
    under_load: dict[str, float]
    memory: dict[str, float | None]
    restarts: int
    left: dict[str, int]
    problems: list[str]

    def text(self) -> str:
        lines = [
            f"{self.requests} requests over {self.model} in {self.seconds:.0f} s, seed {self.seed}",
            "kinds: " + ", ".join(f"{n} {kind}" for kind, n in sorted(self.kinds.items())),
            f"alone before and after: {self.alone}",
            f"under load: {self.under_load}",
            f"memory: {self.memory}",
            f"restarts: {self.restarts}; at the end: {self.left}",
        ]
        return "\n".join([*lines, *(f"PROBLEM {text}" for text in self.problems)])


def spec_of(path: Path, cache_dir: str, n_ctx: int, n_threads: int) -> LoadSpec:
    """An engine that is always out of cells, and of memory beside them."""
    return LoadSpec(
        str(path), n_ctx=n_ctx, n_batch=128, n_parallel=4, n_threads=n_threads,
        cache_bytes=n_ctx * 20_000, cache_dir=cache_dir, cache_disk_bytes=200 << 20,
    )  # fmt: skip


class Soak:
    """One run over one engine."""

    def __init__(self, engine: EngineClient, vocab: Vocab, n_requests: int, seed: int) -> None:
        self._engine = engine
        self._vocab = vocab
        self._n = n_requests
        self._seed = seed
        self._probes = probes(vocab, max(10, min(30, n_requests // 10)), seed)
        self._tally = Tally()
        self._memory = Memory()
        self._done = 0
        self._alone = {"probes": len(self._probes), "exact": 0, "identical": 0}

    async def run(self, model: str) -> Report:
        """Alone, together, and alone again."""
        began = time.monotonic()
        before = [await self._run_alone(probe) for probe in self._probes]
        await self._together(before)
        await self._settle()
        await self._clear()
        for probe, expected in zip(self._probes, before, strict=True):
            self._compare_alone(probe, expected, await self._run_alone(probe))
        left = await self._settle()
        return self._report(model, left, time.monotonic() - began)

    async def _run_alone(self, probe: Probe) -> Answer:
        """On empty cells, which it leaves empty."""
        answer = await collect(self._engine, probe.prompt, probe.params)
        if answer.cached:
            self._tally.problems.append(f"{probe.kind}: {answer.cached} tokens were cached, alone")
        for ids in answer.ids:
            await self._engine.edit(Rollback((*probe.prompt, *ids), 0))
        counts = await self._settle()
        if counts["cells_free"] != counts["cells"]:
            self._tally.problems.append(f"{probe.kind}: cells are held after it was alone")
            await self._clear()
        return answer

    def _compare_alone(self, probe: Probe, expected: Answer, again: Answer) -> None:
        same = (expected.ids, expected.logprobs) == (again.ids, again.logprobs)
        self._alone["exact"] += probe.exact
        self._alone["identical"] += same
        if probe.exact and not same:
            self._tally.problems.append(f"{probe.kind}: alone again it gave something else")

    async def _together(self, before: list[Answer]) -> None:
        draw = random.Random(self._seed)
        jobs = iter([(i, draw.randrange(1 << 30)) for i in range(self._n)])

        async def work() -> None:
            for _, seed in jobs:
                await self._one(random.Random(seed), before)
                self._done += 1
                if self._done % SAMPLE_EVERY == 0:
                    self._look()

        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))

    def _look(self) -> None:
        pid = self._engine.status.pid
        if pid is not None:
            self._memory.look(self._done, pid)

    async def _one(self, draw: random.Random, before: list[Answer]) -> None:
        scene = Scene(self._engine, self._vocab, draw, self._tally, LIMIT_NATS)
        if draw.random() < PROBE_SHARE:
            await self._probe(draw.randrange(len(before)), before)
            return
        weights = [weight for _, weight in DISTURBANCES.values()]
        (kind,) = draw.choices(list(DISTURBANCES), weights)
        await disturb(kind, scene)

    async def _probe(self, index: int, before: list[Answer]) -> None:
        probe = self._probes[index]
        self._tally.saw(probe.kind)
        try:
            answer = await collect(self._engine, probe.prompt, probe.params)
        except EdgeAgentError as error:
            self._tally.problems.append(f"{probe.kind}: {type(error).__name__}: {error}")
            return
        self._tally.compare(probe.kind, before[index], answer, probe.greedy, LIMIT_NATS)

    async def _settle(self) -> dict[str, int]:
        """The engine's counts at rest; what is not as it must be is a problem."""
        counts: dict[str, int] = {}
        for _ in range(200):
            counts = await self._engine.stats()
            if not (counts["running"] or counts["waiting"] or counts["slots_busy"]):
                break
            await asyncio.sleep(0.02)
        else:
            self._tally.problems.append(f"something runs for nobody: {counts}")
        if counts["slots_wrong"]:
            self._tally.problems.append(f"{counts['slots_wrong']} slots disagree with llama.cpp")
        if counts["cells_free"] + counts["cells_held"] != counts["cells"]:
            self._tally.problems.append(f"cells are lost: {counts}")
        return counts

    async def _clear(self) -> None:
        """One prompt takes all cells, and gives them back: none is held by something forgotten."""
        n_ctx = self._engine.info.n_ctx
        draw = random.Random(self._done)
        window = tuple(
            draw.randrange(300, self._engine.info.n_vocab // 2) for _ in range(n_ctx - 2)
        )
        answer = await collect(
            self._engine, window, GenerateParams(GREEDY, max_tokens=1, ignore_eos=True)
        )
        if len(answer.ids[0]) != 1:
            self._tally.problems.append("a prompt as long as the window got no token")
        await self._engine.edit(Rollback(window, 0))
        counts = await self._settle()
        if counts["cells_free"] != counts["cells"]:
            self._tally.problems.append(f"cells stay held when all are emptied: {counts}")

    def _report(self, model: str, left: dict[str, int], seconds: float) -> Report:
        tally, memory = self._tally, self._memory
        slopes = {
            "engine_slope": memory.slope_mb(memory.engine),
            "client_slope": memory.slope_mb(memory.client),
        }
        for name, slope in slopes.items():
            if slope is not None and slope > LIMIT_MB:
                tally.problems.append(f"{name} is {slope:.1f} MB per 1,000 requests")
        if self._engine.status.restarts:
            tally.problems.append(f"the engine died {self._engine.status.restarts} times")
        return Report(
            model, self._n, self._seed, seconds, tally.kinds, self._alone, _spread(tally),
            {**slopes, **_ends(memory)}, self._engine.status.restarts, left, tally.problems,
        )  # fmt: skip


def _spread(tally: Tally) -> dict[str, float]:
    drifts = sorted(tally.drifts) or [0.0]
    return {
        "compared": tally.compared,
        "identical": round(tally.identical / max(tally.compared, 1), 3),
        "drift_median": round(statistics.median(drifts), 4),
        "drift_p99": round(drifts[int(len(drifts) * 0.99)], 4),
        "drift_max": round(drifts[-1], 4),
        "gap_max": round(max(tally.gaps, default=0.0), 4),
    }


def _ends(memory: Memory) -> dict[str, float | None]:
    """First and last looks."""
    both = {"engine": memory.engine, "client": memory.client}
    return {
        f"{name}_{when}": round(sizes[at] / MB, 1)
        for name, sizes in both.items()
        for when, at in (("first", 0), ("last", -1))
        if sizes
    }


async def soak(
    path: Path, n_requests: int, seed: int, n_ctx: int, n_threads: int, say: Callable[[str], None]
) -> Report:
    """Load the model and run; the engine is closed at the end. Raises ModelLoadError."""
    with tempfile.TemporaryDirectory() as cache_dir:
        engine = EngineClient(spec_of(path, cache_dir, n_ctx, n_threads), say)
        try:
            await engine.start()
            return await Soak(engine, Vocab.load(path), n_requests, seed).run(path.name)
        finally:
            await engine.close()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=SMALL_MODEL, help="name of a model card, or a GGUF file")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--ctx-size", type=int, default=512)
    parser.add_argument("--threads", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(argv)
    run = soak(_path(given.model), given.requests, given.seed, given.ctx_size, given.threads, _say)
    report = asyncio.run(run)
    print(json.dumps(dataclasses.asdict(report), indent=2) if given.json else report.text())
    return 1 if report.problems else 0


def _path(model: str) -> Path:
    if model.endswith(".gguf"):
        return Path(model)
    models_dir = load_settings().models_dir
    return pull(Catalog.load(models_dir).get(model), models_dir)


def _say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
