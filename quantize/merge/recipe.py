"""What is merged and how: asked for on the command line, kept in the result."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_agent.errors import RequestError

# each with where it is defined
SOURCES = {
    "linear": "Wortsman et al. 2022, Model soups, arXiv:2203.05482",
    "slerp": "Shoemake 1985, Animating rotation with quaternion curves",
    "task-arithmetic": "Ilharco et al. 2022, Editing models with task arithmetic, arXiv:2212.04089",
    "ties": "Yadav et al. 2023, TIES-Merging, arXiv:2306.01708",
    "dare": "Yu et al. 2023, Language models are Super Mario, arXiv:2311.03099",
}
NEED_BASE = ("task-arithmetic", "ties", "dare")
DENSITY = {"ties": 0.2, "dare": 0.1}  # the papers' own: keep a fifth; drop nine of ten


@dataclass(frozen=True, slots=True)
class Rule:
    """Other weights for tensors whose name matches `pattern` (as of files: * and ?)."""

    pattern: str
    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """weights: one per model. base: what the models were tuned from. density: share of each task
    vector that is kept. scale: of the merged task vector, lambda in the papers. seed: of DARE's
    draws. The last rule that matches a tensor counts.
    """

    method: str
    models: tuple[Path, ...]
    weights: tuple[float, ...]
    base: Path | None = None
    density: float | None = None
    scale: float = 1.0
    seed: int = 0
    rules: Sequence[Rule] = ()

    def __post_init__(self) -> None:
        if self.method not in SOURCES:
            raise RequestError(f"{self.method} is no method: choose {', '.join(SOURCES)}.")
        if len(self.models) < (1 if self.method in NEED_BASE else 2):
            raise RequestError(f"{self.method} needs more models than {len(self.models)}.")
        if self.method == "slerp" and len(self.models) != 2:
            raise RequestError("slerp lies between two models: name two, or use linear.")
        if self.method in NEED_BASE and self.base is None:
            raise RequestError(f"{self.method} needs --base: the model that the others began as.")
        if self.method not in NEED_BASE and self.base is not None:
            raise RequestError(f"{self.method} knows no --base: leave it out.")
        for weights in (self.weights, *(rule.weights for rule in self.rules)):
            self._check(weights)
        if not 0 < self.kept <= 1:
            raise RequestError(f"A density of {self.kept:g} is not between 0 and 1.")

    def _check(self, weights: tuple[float, ...]) -> None:
        if len(weights) != len(self.models):
            raise RequestError(
                f"There are {len(self.models)} models and {len(weights)} weights: give one each."
            )
        if self.method in ("linear", "slerp") and sum(weights) <= 0:
            raise RequestError(f"The weights of {self.method} must add up to more than 0.")

    @property
    def kept(self) -> float:
        """The density, or the paper's."""
        return DENSITY.get(self.method, 1.0) if self.density is None else self.density

    def weights_of(self, name: str) -> tuple[float, ...]:
        """The models' weights for one tensor."""
        found = (rule.weights for rule in self.rules if fnmatch.fnmatchcase(name, rule.pattern))
        return next(reversed(list(found)), self.weights)

    def as_json(self) -> dict[str, Any]:
        """As it is kept in merge_recipe.json; models by their folders' names."""
        told: dict[str, Any] = {
            "method": self.method,
            "source": SOURCES[self.method],
            "models": [path.resolve().name for path in self.models],
            "weights": list(self.weights),
        }
        if self.base is not None:
            told |= {"base": self.base.resolve().name, "scale": self.scale}
        if self.method in DENSITY:
            told["density"] = self.kept
        if self.method == "dare":
            told["seed"] = self.seed
        if self.rules:
            told["rules"] = [{"for": r.pattern, "weights": list(r.weights)} for r in self.rules]
        return told
