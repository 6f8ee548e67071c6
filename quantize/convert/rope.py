"""Rope scaling: what of it becomes keys of a GGUF, and what becomes a tensor."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from gguf import GGUFWriter, RopeScalingType

from edge_agent.errors import BadModelFile, NotSupported
from quantize.checkpoint.safetensors import Floats
from quantize.convert.family import Family, Hparams

PLAIN = ("", "default")
# optional keys of YaRN: transformers' name and the writer's method
YARN = {
    "extrapolation_factor": "add_rope_scaling_yarn_ext_factor",
    "attention_factor": "add_rope_scaling_yarn_attn_factor",
    "attn_factor": "add_rope_scaling_yarn_attn_factor",
    "beta_fast": "add_rope_scaling_yarn_beta_fast",
    "beta_slow": "add_rope_scaling_yarn_beta_slow",
}


def kind_of(hparams: Hparams) -> str:
    """`linear`, `yarn`, `llama3`, `longrope`, or "" for a rope that is not scaled.

    Raises NotSupported for one that llama.cpp cannot compute for these families.
    """
    kind = str(hparams.rope.get("rope_type") or "").lower()
    if kind in PLAIN:
        return ""
    if kind not in ("linear", "yarn", "llama3", "longrope", "su"):
        raise NotSupported(f"Rope scaling of type {kind} cannot be converted.")
    return "longrope" if kind == "su" else kind


def write_rope(writer: GGUFWriter, hparams: Hparams) -> None:
    """The keys of the rope. Raises BadModelFile where the configuration lacks a number."""
    rope, kind = hparams.rope, kind_of(hparams)
    writer.add_rope_freq_base(float(rope["rope_theta"]))
    if kind == "linear":
        writer.add_rope_scaling_type(RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(_number(rope, "factor"))
    elif kind == "longrope":
        writer.add_rope_scaling_type(RopeScalingType.LONGROPE)
    elif kind == "yarn":
        _write_yarn(writer, rope)


def _write_yarn(writer: GGUFWriter, rope: Mapping[str, Any]) -> None:
    writer.add_rope_scaling_type(RopeScalingType.YARN)
    writer.add_rope_scaling_factor(_number(rope, "factor"))
    writer.add_rope_scaling_orig_ctx_len(int(_number(rope, "original_max_position_embeddings")))
    for name, method in YARN.items():
        if rope.get(name) is not None:
            getattr(writer, method)(_number(rope, name))


def _number(rope: Mapping[str, Any], name: str) -> float:
    value = rope.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadModelFile(f"The rope scaling in config.json says no number for {name}.")
    return float(value)


def rope_tensors(family: Family, hparams: Hparams) -> Iterator[tuple[str, Floats]]:
    """Factors per frequency that llama.cpp reads as tensors. Raises NotSupported where it does not
    read them for the family."""
    kind = kind_of(hparams)
    if kind in ("llama3", "longrope") and not family.paired:
        raise NotSupported(f"Rope scaling of type {kind} is only known for llama models.")
    if kind == "llama3":
        yield "rope_freqs.weight", llama3_factors(hparams.rope, hparams.head_width)
    elif kind == "longrope":
        for name in ("long", "short"):
            yield f"rope_factors_{name}.weight", _listed(hparams, f"{name}_factor")


def _listed(hparams: Hparams, name: str) -> Floats:
    factors = hparams.rope.get(name)
    if not isinstance(factors, list) or len(factors) != hparams.head_width // 2:
        raise BadModelFile(
            f"The rope scaling in config.json needs {hparams.head_width // 2} numbers in {name}."
        )
    return np.array(factors, np.float32)


def llama3_factors(rope: Mapping[str, Any], head_width: int) -> Floats:
    """By how much each frequency is slowed, as Llama 3.1 does it: short waves not at all, long ones
    by `factor`, those between in proportion. The defaults are those of llama.cpp's converter."""
    exponents = np.arange(0, head_width, 2, dtype=np.float32) / np.float32(head_width)
    freqs = 1.0 / np.power(np.float32(rope["rope_theta"]), exponents)
    factor = float(rope.get("factor", 8.0))
    low, high = float(rope.get("low_freq_factor", 1.0)), float(rope.get("high_freq_factor", 4.0))
    n_ctx = float(rope.get("original_max_position_embeddings", 8192))
    waves = (2 * math.pi) / freqs
    smooth = (n_ctx / waves - low) / (high - low)
    between = 1 / ((1 - smooth) / factor + smooth)
    factors = np.where(waves < n_ctx / high, 1.0, np.where(waves > n_ctx / low, factor, between))
    return factors.astype(np.float32)
