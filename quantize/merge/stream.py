"""A recipe applied to one tensor after another, a few megabytes at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from quantize.checkpoint.folder import Checkpoint
from quantize.checkpoint.safetensors import Bytes, Floats, Stored, from_floats, to_floats
from quantize.merge import methods
from quantize.merge.recipe import Recipe
from quantize.merge.threshold import threshold

AT_ONCE_BYTES = 8 << 20  # of one model's tensor
Combine = Callable[[Sequence[Floats]], Floats]


@dataclass(frozen=True, slots=True)
class Mixer:
    """models: those of the recipe, the base behind them where there is one. thresholds: of TIES."""

    recipe: Recipe
    models: Sequence[Checkpoint]
    thresholds: Sequence[float] = ()

    def pieces(self, name: str) -> Iterator[Bytes]:
        """The merged tensor's bytes, in the type it has in the first model."""
        stored = [model.tensors[name] for model in self.models]
        combine = self._combine(name, stored)
        for values in together(stored):
            yield from_floats(combine(values), stored[0].kind)

    def _combine(self, name: str, stored: Sequence[Stored]) -> Combine:
        weights, recipe = self.recipe.weights_of(name), self.recipe
        if recipe.method == "linear":
            return lambda values: methods.linear(values, weights)
        if recipe.method == "slerp":
            shares = _shares(stored, weights[1] / sum(weights))
            return lambda values: methods.weighted(values, shares)
        if recipe.method == "ties":
            return lambda values: methods.ties(
                values[-1], tasks_of(values), weights, self.thresholds, recipe.scale
            )
        thin = self._thin(name) if recipe.method == "dare" else tasks_of
        return lambda values: methods.task_arithmetic(
            values[-1], thin(values), weights, recipe.scale
        )

    def _thin(self, name: str) -> Callable[[Sequence[Floats]], list[Floats]]:
        draws = [_draw(self.recipe.seed, i, name) for i in range(len(self.recipe.models))]
        kept = self.recipe.kept
        return lambda values: [
            methods.dropped(task, kept, draw)
            for task, draw in zip(tasks_of(values), draws, strict=True)
        ]


def mixer_of(recipe: Recipe, models: Sequence[Checkpoint]) -> Mixer:
    """Ready to mix; for TIES every model is read twice for its threshold first."""
    if recipe.method != "ties":
        return Mixer(recipe, models)
    base = models[-1]
    found = [
        threshold(lambda model=model: _task(model, base), recipe.kept)  # type: ignore[misc]
        for model in models[:-1]
    ]
    return Mixer(recipe, models, found)


def together(stored: Sequence[Stored]) -> Iterator[list[Floats]]:
    """The same rows of several tensors of one shape."""
    rows = max(1, AT_ONCE_BYTES // max(tensor.row_bytes for tensor in stored))
    for raw in zip(*(tensor.rows(rows) for tensor in stored), strict=True):
        kinds = (tensor.kind for tensor in stored)
        yield [to_floats(piece, kind) for piece, kind in zip(raw, kinds, strict=True)]


def tasks_of(values: Sequence[Floats]) -> list[Floats]:
    """What each model has learnt beyond the base, which is the last one."""
    return [value - values[-1] for value in values[:-1]]


def _task(model: Checkpoint, base: Checkpoint) -> Iterator[Floats]:
    for name in base.tensors:
        for values in together([model.tensors[name], base.tensors[name]]):
            yield tasks_of(values)[0]


def _shares(stored: Sequence[Stored], t: float) -> tuple[float, float]:
    dot = first = second = 0.0
    for a, b in together(stored):
        x, y = a.astype(np.float64), b.astype(np.float64)
        dot, first, second = dot + float(x @ y), first + float(x @ x), second + float(y @ y)
    lengths = float(np.sqrt(first * second))
    return methods.slerp_shares(dot / lengths if lengths else 1.0, t)


def _draw(seed: int, model: int, name: str) -> np.random.Generator:
    """The same draws for the same seed, model and tensor, in whatever order they are merged."""
    digest = hashlib.sha256(f"{seed}/{model}/{name}".encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))
