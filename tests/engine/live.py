"""A real engine under test: how it is loaded, asked, and seen to be at rest."""

from __future__ import annotations

import asyncio
from pathlib import Path

from edge_agent.chat.vocab import Vocab
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import Finished, GenerateParams, LoadSpec, SamplingParams

GREEDY = SamplingParams(temperature=0)
N_CTX = 2048


def spec_of(path: Path, **changes: int) -> LoadSpec:
    # one thread: threads of llama.cpp spin, and crawl where another process has a core
    defaults = {"n_ctx": N_CTX, "n_batch": 256, "n_parallel": 4, "n_threads": 1}
    return LoadSpec(path=str(path), **{**defaults, **changes})  # type: ignore[arg-type]


def chat(vocab: Vocab, text: str) -> list[int]:
    return vocab.encode(f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n")


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
