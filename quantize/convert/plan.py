"""Which tensors the GGUF will hold, and of which type: decided before anything is written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, LlamaFileType

from edge_agent.errors import BadModelFile, NotSupported, RequestError
from quantize.checkpoint.folder import Checkpoint, enumerated
from quantize.checkpoint.safetensors import FLOATS, Floats, Stored
from quantize.convert.family import Family, Hparams
from quantize.convert.names import IGNORED, Place, places
from quantize.convert.rope import rope_tensors

Type = GGMLQuantizationType
TYPES: Mapping[str, tuple[Type, LlamaFileType]] = {
    "bf16": (Type.BF16, LlamaFileType.MOSTLY_BF16),
    "f16": (Type.F16, LlamaFileType.MOSTLY_F16),
    "f32": (Type.F32, LlamaFileType.ALL_F32),
    "q8_0": (Type.Q8_0, LlamaFileType.MOSTLY_Q8_0),
}


@dataclass(frozen=True, slots=True)
class Planned:
    """A tensor to be written: `source` with its rows paired over `heads` (0: as they are)."""

    name: str
    source: Stored | Floats
    shape: tuple[int, ...]
    type: Type
    heads: int = 0

    @property
    def n_bytes(self) -> int:
        per_block, size = GGML_QUANT_SIZES[self.type]
        return math.prod(self.shape) // per_block * size


def type_of(name: str) -> tuple[Type, LlamaFileType]:
    """Raises RequestError for a type that is not written here."""
    if name not in TYPES:
        raise RequestError(
            f"{name} is no type of `convert`: choose {', '.join(TYPES)}; for smaller ones use "
            "`quantize` on what it writes."
        )
    return TYPES[name]


def plan(checkpoint: Checkpoint, family: Family, hparams: Hparams, type: Type) -> list[Planned]:
    """In the order they lie on the disk, so that reading never goes back.

    Raises BadModelFile where a tensor is missing or has the wrong shape, NotSupported where there
    are others or other types, RequestError where a row does not fit the type's blocks.
    """
    wanted = places(family, hparams)
    _check(checkpoint, wanted, hparams)
    found = [
        _planned(stored, wanted[name], type)
        for name, stored in checkpoint.tensors.items()
        if name in wanted
    ]
    extra = [
        Planned(name, values, values.shape, Type.F32)
        for name, values in rope_tensors(family, hparams)
    ]
    return extra + found


def _check(checkpoint: Checkpoint, wanted: Mapping[str, Place], hparams: Hparams) -> None:
    missing = [
        name for name, place in wanted.items() if place.needed and name not in checkpoint.tensors
    ]
    if missing:
        raise BadModelFile(f"{checkpoint.folder} lacks the tensors {enumerated(missing)}.")
    known = (*IGNORED, "lm_head.weight") if hparams.tied else IGNORED
    strange = [
        name for name in checkpoint.tensors if name not in wanted and not name.endswith(known)
    ]
    if strange:
        raise NotSupported(
            f"{checkpoint.folder} holds tensors that no such model has: {enumerated(strange)}."
        )


def _planned(stored: Stored, place: Place, type: Type) -> Planned:
    if stored.shape != place.shape:
        raise BadModelFile(
            f"{stored.name} has the shape {stored.shape} where config.json asks for {place.shape}."
        )
    if stored.kind not in FLOATS:
        raise NotSupported(
            f"{stored.name} is stored as {stored.kind}: convert a checkpoint in BF16, F16 or F32."
        )
    if len(place.shape) == 1 or place.name.endswith("_norm.weight"):
        type = Type.F32
    per_block = GGML_QUANT_SIZES[type][0]
    if place.shape[-1] % per_block:
        raise RequestError(
            f"{stored.name} has rows of {place.shape[-1]} weights, which {type.name} cannot hold "
            f"(it packs {per_block} together): choose --type bf16 or f16."
        )
    return Planned(place.name, stored, place.shape, type, place.heads)
