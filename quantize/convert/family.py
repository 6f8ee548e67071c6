"""The model families that can be converted, and what a configuration says about one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_agent.errors import BadModelFile, NotSupported
from quantize.checkpoint.folder import Checkpoint


@dataclass(frozen=True, slots=True)
class Family:
    """arch: `general.architecture` in the GGUF.

    paired: the rows of q and k are laid out anew, because llama.cpp's rope of this family turns
    neighbours where transformers turns the halves of a head. llama_keys: the vocabulary's size and
    the rope's width are written too. defaults: what transformers takes where config.json is silent.
    """

    arch: str
    paired: bool
    llama_keys: bool
    defaults: Mapping[str, Any]


LLAMA = Family(
    "llama", True, True, {"max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "head_dim": 0}
)
# by the first name under `architectures` in config.json
FAMILIES: Mapping[str, Family] = {
    "Qwen2ForCausalLM": Family(
        "qwen2", False, False, {"max_position_embeddings": 32768, "rms_norm_eps": 1e-6}
    ),
    "Qwen3ForCausalLM": Family(
        "qwen3",
        False,
        False,
        {"max_position_embeddings": 32768, "rms_norm_eps": 1e-6, "head_dim": 128},
    ),
    "LlamaForCausalLM": LLAMA,
    "LLaMAForCausalLM": LLAMA,
    "MistralForCausalLM": Family(
        "llama",
        True,
        True,
        {
            "max_position_embeddings": 131072,
            "rms_norm_eps": 1e-6,
            "num_key_value_heads": 8,
            "head_dim": 0,
        },
    ),
    "MiniCPMForCausalLM": Family("minicpm", True, False, {"rms_norm_eps": 1e-6}),
}
ROPE_THETA = 10_000.0


@dataclass(frozen=True, slots=True)
class Hparams:
    """Counts and widths in elements. head_width_told: whether the GGUF gets it as keys of its own.

    rope: the rope's parameters under the names of transformers, `rope_theta` among them.
    scales: embedding, residual and logit scale of a MiniCPM, else empty.
    """

    n_layers: int
    width: int
    n_heads: int
    n_kv_heads: int
    head_width: int
    head_width_told: bool
    feed_forward: int
    n_vocab: int
    n_ctx: int | None
    rms_eps: float
    rope: Mapping[str, Any]
    scales: tuple[float, ...]
    tied: bool


def family_of(checkpoint: Checkpoint) -> Family:
    """Raises NotSupported for a model of another kind, or one that is quantised already."""
    names = checkpoint.config.get("architectures") or ["none"]
    name = str(names[0]) if isinstance(names, list) else str(names)
    if name not in FAMILIES:
        raise NotSupported(
            f"{checkpoint.folder} is a {name}; {', '.join(FAMILIES)} can be converted."
        )
    quantised = checkpoint.config.get("quantization_config")
    if isinstance(quantised, dict):
        method = quantised.get("quant_method", "some method")
        raise NotSupported(
            f"{checkpoint.folder} is quantised with {method}: convert what it was made of."
        )
    return FAMILIES[name]


def hparams_of(checkpoint: Checkpoint, family: Family) -> Hparams:
    """What config.json says. Raises BadModelFile where a number is missing or is none."""
    said = {key: value for key, value in checkpoint.config.items() if value is not None}
    config = {**family.defaults, **said}
    told = _Numbers(config, str(checkpoint.folder / "config.json"))
    width, n_heads = told.whole("hidden_size"), told.whole("num_attention_heads")
    if width % n_heads and not config.get("head_dim"):
        raise BadModelFile(f"{told.where}: hidden_size {width} is no multiple of {n_heads} heads.")
    n_layers = told.whole("num_hidden_layers")
    return Hparams(
        n_layers=n_layers,
        width=width,
        n_heads=n_heads,
        n_kv_heads=told.whole("num_key_value_heads", n_heads),
        head_width=told.whole("head_dim", width // n_heads),
        head_width_told="head_dim" in config,
        feed_forward=told.whole("intermediate_size"),
        n_vocab=told.whole("vocab_size"),
        n_ctx=told.whole("max_position_embeddings", 0) or None,
        rms_eps=told.real("rms_norm_eps"),
        rope=rope_of(config),
        scales=_scales(told, n_layers, width) if family.arch == "minicpm" else (),
        tied=bool(config.get("tie_word_embeddings", False)),
    )


def rope_of(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """`rope_scaling`, or `rope_parameters` of newer configurations, with its theta and type."""
    told = config.get("rope_parameters") or config.get("rope_scaling") or {}
    rope = dict(told) if isinstance(told, dict) else {}
    rope.setdefault("rope_theta", config.get("rope_theta", ROPE_THETA))
    if "type" in rope:
        rope.setdefault("rope_type", rope["type"])
    if "original_max_position_embeddings" in config:
        rope.setdefault(
            "original_max_position_embeddings", config["original_max_position_embeddings"]
        )
    return rope


def _scales(told: _Numbers, n_layers: int, width: int) -> tuple[float, ...]:
    return (
        told.real("scale_emb"),
        told.real("scale_depth") / n_layers**0.5,
        width / told.real("dim_model_base"),
    )


@dataclass(frozen=True, slots=True)
class _Numbers:
    config: Mapping[str, Any]
    where: str

    def real(self, key: str) -> float:
        value = self.config.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise BadModelFile(f"{self.where} says no number for {key}: it cannot be converted.")
        return float(value)

    def whole(self, key: str, otherwise: int | None = None) -> int:
        value = self.config.get(key)
        if otherwise is not None and not value:
            return otherwise
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise BadModelFile(f"{self.where} says no whole number for {key}.")
        return value
