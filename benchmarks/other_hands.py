"""What else runs on the cores: decode beside extraction, embedding, and a busy program.

`python benchmarks/other_hands.py MODEL.gguf EMBEDDER_DIR [--rounds N]`: the engine in its process
decodes while this process reads pages (trafilatura) or embeds passages (onnxruntime) in a thread,
at the usual or at low priority, or while another program keeps one core busy. Prints a Markdown
table of tokens per second, medians of the rounds, and of what the other work got done, each as a
share of what it does alone.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import GenerateParams, LoadSpec, SamplingParams, Tokens
from edge_agent.tools.embed import Embedder
from edge_agent.tools.read.extract import extract

SITE = Path(__file__).resolve().parents[1] / "examples" / "site"
BUSY = "while True: pass"
N_TOKENS = 64
PROMPT = list(range(1000, 1256))
# turns of a loop that a thread waits before it sleeps; 300,000 is what libgomp does unasked
SPINS = (300_000, 20_000, 2_000, 200, 0)
NICE = 10  # added to the priority value of a thread on Linux: the higher, the sooner it gives way


class Worker:
    """Does one piece of work again and again in a thread, and counts."""

    def __init__(self, work: Callable[[], object], nice: int = 0) -> None:
        self._work = work
        self._nice = nice
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.done = 0

    def _run(self) -> None:
        if self._nice and hasattr(os, "setpriority"):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._nice)
        while not self._stop.is_set():
            self._work()
            self.done += 1

    def __enter__(self) -> Worker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def alone(self, seconds: float = 2.0) -> float:
        """Pieces per second with nothing beside it."""
        with self:
            time.sleep(seconds)
            return self.done / seconds


def reading() -> Callable[[], object]:
    pages = sorted(SITE.rglob("*.html"))
    texts = [page.read_bytes() for page in pages]
    turn = iter(range(1 << 30))

    def read() -> object:
        return extract(texts[next(turn) % len(texts)], "text/html", "utf-8", "http://example.org/")

    return read


def embedding(folder: Path) -> Callable[[], object]:
    embedder = Embedder(folder)
    passages = [f"The keeper of light {i} wrote down the weather and the ships." for i in range(16)]
    return lambda: embedder.encode(passages)


@contextmanager
def busy_core() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def decode_speed(engine: EngineClient) -> float:
    """Tokens per second of one stream, from its second token on."""
    params = GenerateParams(
        SamplingParams(temperature=0), max_tokens=N_TOKENS, ignore_eos=True, speculate=False
    )
    times: list[float] = []
    async with aclosing(engine.submit(PROMPT, params)) as items:
        async for item in items:
            times += [time.perf_counter()] * (len(item.ids) if isinstance(item, Tokens) else 0)
    return (len(times) - 1) / (times[-1] - times[0])


async def row(spec: LoadSpec, folder: Path, spins: int, rounds: int) -> list[str]:
    """One way to load the engine: tokens per second beside each kind of work."""
    os.environ["GOMP_SPINCOUNT"] = str(spins)
    engine = EngineClient(spec, print)
    cells: list[str] = []
    try:
        await engine.start()
        await decode_speed(engine)
        cells.append(await median(engine, rounds))
        with busy_core():
            cells.append(await median(engine, rounds))
        for make in (reading, lambda: embedding(folder)):
            for nice in (0, NICE):
                alone = Worker(make(), nice).alone()
                worker, began = Worker(make(), nice), time.perf_counter()
                with worker:
                    speed = await median(engine, rounds)
                    rate = worker.done / (time.perf_counter() - began)
                cells.append(f"{speed} ({rate / alone:.2f})")
    finally:
        await engine.close()
        del os.environ["GOMP_SPINCOUNT"]
    return cells


async def median(engine: EngineClient, rounds: int) -> str:
    return f"{statistics.median([await decode_speed(engine) for _ in range(rounds)]):.1f}"


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("embedder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--spins", type=int, nargs="*", default=SPINS)
    args = parser.parse_args()
    kinds = "alone | busy core | reading | reading, low | embedding | embedding, low"
    print(f"| threads | spins | {kinds} |")
    print("|---|---|---|---|---|---|---|---|")
    for threads, spins in (
        *((1, 0),) * (args.spins == SPINS),
        *((2, spins) for spins in args.spins),
    ):
        spec = LoadSpec(str(args.model), 2048, 256, 2, threads)
        cells = await row(spec, args.embedder, spins, args.rounds)
        print(f"| {threads} | {spins:,} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
