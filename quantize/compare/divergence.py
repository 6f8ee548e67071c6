"""How far a candidate's predictions lie from the reference's, on a text.

As llama-perplexity does: the text is read in chunks that know nothing of each other, and only the
second half of each counts, where there is something to predict from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import RequestError
from quantize.checkpoint.safetensors import Floats
from quantize.context import BATCH, Loaded

Step = Callable[[int, int], None]  # chunks read, chunks there are
TAIL_PERCENT = 99.0


@dataclass(frozen=True, slots=True)
class Passage:
    """ids of one chunk; the last `scored` of them are predicted, each from those before it."""

    ids: tuple[int, ...]
    scored: int


@dataclass(frozen=True, slots=True)
class Divergence:
    """perplexity: of the candidate. kl_*: Kullback-Leibler divergence of the candidate from the
    reference per token, in nats: its mean, its TAIL_PERCENT percentile, its maximum.

    top_agreement: share of tokens where both hold the same one most likely.
    """

    perplexity: float
    kl_mean: float
    kl_tail: float
    kl_max: float
    top_agreement: float


def passages_of(
    ids: Sequence[int], chunk_tokens: int, chunks: int, bos: int | None
) -> list[Passage]:
    """Whole chunks of the text. Raises RequestError where there is not one."""
    if len(ids) < chunk_tokens:
        raise RequestError(
            f"The text has {len(ids)} tokens and one chunk has {chunk_tokens}: give a longer text "
            "or a smaller --chunk."
        )
    starts = range(0, len(ids) - chunk_tokens + 1, chunk_tokens)
    found = [tuple(ids[at : at + chunk_tokens]) for at in starts][:chunks]
    if bos is not None:
        found = [(bos, *chunk[1:]) for chunk in found]
    return [Passage(chunk, chunk_tokens // 2) for chunk in found]


def predictions(model: Loaded, passage: Passage) -> Iterator[tuple[Floats, NDArray[np.int64]]]:
    """Log-probabilities, shape (tokens, n_vocab), and the token that came, piece by piece."""
    model.forget()
    ids = passage.ids[:-1]  # what follows the last one is not known
    first = len(ids) - passage.scored
    for at in range(0, len(ids), BATCH):
        part = ids[at : at + BATCH]
        wanted = min(len(part), max(0, at + len(part) - first))
        logits = model.read(part, at, wanted)
        if wanted:
            end = at + len(part) + 1
            came = np.array(passage.ids[end - wanted : end], np.int64)
            yield log_softmax(logits), came


def log_softmax(logits: Floats) -> Floats:
    """Per row; exact to float32."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), np.float32)


def record(model: Loaded, passages: Sequence[Passage], path: Path, step: Step) -> float:
    """Write the reference's log-probabilities to `path`; returns its perplexity."""
    losses: list[NDArray[np.float32]] = []
    with path.open("wb") as file:
        for i, passage in enumerate(passages):
            for probable, came in predictions(model, passage):
                probable.tofile(file)
                losses.append(-probable[np.arange(len(came)), came])
            step(i + 1, len(passages))
    return perplexity(losses)


def diverge(model: Loaded, passages: Sequence[Passage], path: Path, step: Step) -> Divergence:
    """The candidate against what `record` wrote."""
    losses, apart, agreed = [], [], 0
    with path.open("rb") as file:
        for i, passage in enumerate(passages):
            for probable, came in predictions(model, passage):
                wanted = np.fromfile(file, np.float32, probable.size).reshape(probable.shape)
                losses.append(-probable[np.arange(len(came)), came])
                apart.append(kl(wanted, probable))
                agreed += int((wanted.argmax(axis=1) == probable.argmax(axis=1)).sum())
            step(i + 1, len(passages))
    found = np.concatenate(apart)
    return Divergence(
        perplexity(losses),
        float(found.mean()),
        float(np.percentile(found, TAIL_PERCENT)),
        float(found.max()),
        agreed / len(found),
    )


def kl(wanted: Floats, found: Floats) -> NDArray[np.float64]:
    """Sum over the vocabulary of p (log p - log q), per row, in nats."""
    return np.asarray((np.exp(wanted) * (wanted - found)).sum(axis=1, dtype=np.float64))


def perplexity(losses: Sequence[NDArray[np.float32]]) -> float:
    """exp of the mean negative log-probability of what came."""
    return float(np.exp(np.concatenate(losses).mean(dtype=np.float64)))
