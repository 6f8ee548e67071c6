"""Measures one model in a process of its own: its memory is its own, and so is its crash."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edge_agent.errors import BadModelFile, RequestError
from quantize.compare.agent import Greedy, take_turns
from quantize.compare.divergence import Divergence, diverge, passages_of, record
from quantize.compare.speed import Speed, time_model
from quantize.compare.turns import Taken
from quantize.context import Loaded, Opening, opened
from quantize.progress import Line

T = TypeVar("T")
N_CTX = 2048


@dataclass(frozen=True, slots=True)
class Asked:
    """records: where the reference's predictions lie. turn_tokens: most tokens of one of the
    agent's turns, 0 takes none of them."""

    model: Path
    text: str
    records: Path
    chunk_tokens: int
    chunks: int
    threads: int
    turn_tokens: int
    is_reference: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of a model. For the reference the divergence is from itself: 0."""

    path: Path
    size_bytes: int
    ids: tuple[int, ...]
    n_vocab: int
    speed: Speed
    divergence: Divergence
    turns: tuple[Taken, ...]


def measure(asked: Asked) -> Measured:
    """Raises BadModelFile where the model cannot be loaded, or ends its process."""
    return _apart(lambda pool: pool.submit(_measure, asked).result(), asked.model)


def _apart(work: Callable[[ProcessPoolExecutor], T], path: Path) -> T:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            return work(pool)
        except BrokenProcessPool:
            raise BadModelFile(f"{path} ended the process that measured it.") from None


def _measure(asked: Asked) -> Measured:
    line, name = Line(sys.stderr), asked.model.name
    n_ctx = max(N_CTX, asked.chunk_tokens)
    with opened(Opening(asked.model, n_ctx, asked.threads)) as model:
        speed = time_model(model, n_ctx)
        ids = model.tokens(asked.text)
        found = _predictions(model, asked, ids, lambda i, n: line(f"{name}: text", i, n))
        turns: list[Taken] = []
        if asked.turn_tokens:
            greedy = Greedy(model, n_ctx, asked.turn_tokens)
            turns = take_turns(greedy, asked.model, lambda i, n: line(f"{name}: turns", i, n))
        size = asked.model.stat().st_size
        return Measured(asked.model, size, tuple(ids), model.n_vocab, speed, found, tuple(turns))


def _predictions(
    model: Loaded, asked: Asked, ids: list[int], step: Callable[[int, int], None]
) -> Divergence:
    bos = model.bos if model.adds_bos else None
    passages = passages_of(ids, asked.chunk_tokens, asked.chunks, bos)
    if asked.is_reference:
        return Divergence(record(model, passages, asked.records, step), 0.0, 0.0, 0.0, 1.0)
    tokens = sum(passage.scored for passage in passages)
    if asked.records.stat().st_size != tokens * model.n_vocab * 4:
        raise RequestError(f"{asked.model} has another vocabulary than the reference.")
    return diverge(model, passages, asked.records, step)
