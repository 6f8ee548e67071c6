"""What each tensor of a checkpoint is called in a GGUF, and the shape it must have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from quantize.convert.family import Family, Hparams

# transformers' name below `model.layers.N.`, and llama.cpp's below `blk.N.`
BLOCK = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
WITH_BIAS = tuple(name for name in BLOCK if name.endswith("_proj"))
# buffers that old checkpoints hold and that every program computes for itself
IGNORED = (".rotary_emb.inv_freq", ".attention.masked_bias", ".attention.bias")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tensor goes. heads: over how many its rows are paired anew, 0 for as it is.

    needed: whether every model of the family has it.
    """

    name: str
    shape: tuple[int, ...]
    heads: int = 0
    needed: bool = True


def places(family: Family, hparams: Hparams) -> dict[str, Place]:
    """Every tensor that the family may have, by its name in the checkpoint."""
    wide = (hparams.n_vocab, hparams.width)
    found = {
        "model.embed_tokens.weight": Place("token_embd.weight", wide),
        "model.norm.weight": Place("output_norm.weight", (hparams.width,)),
    }
    if not hparams.tied:
        found["lm_head.weight"] = Place("output.weight", wide)
    for i in range(hparams.n_layers):
        for source, place in _block(family, hparams):
            name = Place(f"blk.{i}.{place.name}", place.shape, place.heads, place.needed)
            found[f"model.layers.{i}.{source}"] = name
    return found


def _block(family: Family, hparams: Hparams) -> Iterator[tuple[str, Place]]:
    for source, shape in _shapes(family, hparams).items():
        heads = 0
        if family.paired and source in ("self_attn.q_proj", "self_attn.k_proj"):
            heads = hparams.n_heads if source.endswith("q_proj") else hparams.n_kv_heads
        yield f"{source}.weight", Place(f"{BLOCK[source]}.weight", shape, heads)
        if source in WITH_BIAS:
            biased = family.arch == "qwen2" and source in WITH_BIAS[:3]
            bias = Place(f"{BLOCK[source]}.bias", shape[:1], heads, biased)
            yield f"{source}.bias", bias


def _shapes(family: Family, hparams: Hparams) -> dict[str, tuple[int, ...]]:
    width, inner, head = hparams.width, hparams.feed_forward, hparams.head_width
    q, kv = hparams.n_heads * head, hparams.n_kv_heads * head
    normed = {"self_attn.q_norm": (head,), "self_attn.k_norm": (head,)}
    return {
        "input_layernorm": (width,),
        "self_attn.q_proj": (q, width),
        "self_attn.k_proj": (kv, width),
        "self_attn.v_proj": (kv, width),
        "self_attn.o_proj": (width, q),
        **(normed if family.arch == "qwen3" else {}),
        "post_attention_layernorm": (width,),
        "mlp.gate_proj": (inner, width),
        "mlp.up_proj": (inner, width),
        "mlp.down_proj": (width, inner),
    }
