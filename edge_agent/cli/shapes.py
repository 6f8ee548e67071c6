"""From the header of a model's file to what the planner needs to know of it."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Sequence

from edge_agent.catalog.gguf import GgufHeader, Tensor
from edge_agent.engine.fit.shape import Layer, ModelShape, is_repacked

BLOCK = re.compile(r"blk\.(\d+)\.")
EMBEDDING, OUTPUT = "token_embd.weight", "output.weight"
USUAL_TRAINED_CTX = 4096  # of a file that does not say


def shape_of(header: GgufHeader, processor: str = platform.machine()) -> ModelShape:
    """What decides how much memory the file needs on a processor (see `platform.machine`)."""
    heads = header.number("attention.head_count") or 1
    width = header.number("embedding_length") or 0
    embedding = [t for t in header.tensors if t.name == EMBEDDING]
    rest = [t for t in header.tensors if t.name != EMBEDDING and not BLOCK.match(t.name)]
    tied = not any(t.name == OUTPUT for t in rest)
    key = header.number("attention.key_length") or width // heads
    value = header.number("attention.value_length") or width // heads
    return ModelShape(
        path=str(header.path),
        n_ctx_train=header.context_length or USUAL_TRAINED_CTX,
        n_vocab=embedding[0].shape[-1] if embedding else header.number("vocab_size") or 0,
        n_embd=width,
        n_ff=header.number("expert_feed_forward_length")
        or header.number("feed_forward_length")
        or 0,
        q_width=heads * key,
        head_dims=(key, value),
        layers=_layers(header, key + value, processor),
        embedding_bytes=_bytes(embedding),
        # a tied output is a matrix too: it is copied where its type is
        output=_layer([*rest, *embedding] if tied else rest, 0, processor, _bytes(rest)),
        tied=tied,
        n_used=header.number("expert_used_count") or 0,
        windowed=bool(header.number("attention.sliding_window")),
        state_bytes=_state_bytes(header),
    )


def _layers(header: GgufHeader, head_width: int, processor: str) -> tuple[Layer, ...]:
    n_layers = header.number("block_count") or 0
    tensors: list[list[Tensor]] = [[] for _ in range(n_layers)]
    for tensor in header.tensors:
        block = BLOCK.match(tensor.name)
        if block and int(block[1]) < n_layers:
            tensors[int(block[1])].append(tensor)
    kv_heads = _kv_heads(header, n_layers)
    return tuple(
        _layer(own, heads * head_width, processor)
        for own, heads in zip(tensors, kv_heads, strict=True)
    )


def _kv_heads(header: GgufHeader, n_layers: int) -> Sequence[int]:
    """Of each layer; 0 where a recurrent state stands in for keys and values."""
    told = header.numbers("attention.head_count_kv") or header.numbers("attention.head_count")
    if len(told) >= n_layers > 1:
        return told[:n_layers]
    every = header.number("full_attention_interval") or 1
    heads = max(told, default=0)
    return [heads if (i + 1) % every == 0 else 0 for i in range(n_layers)]


def _layer(
    tensors: Iterable[Tensor], kv_width: int, processor: str, n_bytes: int | None = None
) -> Layer:
    own = list(tensors)
    copied = [t for t in own if len(t.shape) > 1 and is_repacked(t.kind, t.shape[1], processor)]
    return Layer(_bytes(own) if n_bytes is None else n_bytes, _bytes(copied), kv_width)


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.n_bytes for tensor in tensors)


def _state_bytes(header: GgufHeader) -> int:
    """f32 recurrent state of one sequence over all layers that have one (ssm.* of the header)."""
    inner, state = header.number("ssm.inner_size") or 0, header.number("ssm.state_size") or 0
    taps = header.number("ssm.conv_kernel") or 0
    every = header.number("full_attention_interval") or 0
    n_layers = header.number("block_count") or 0
    recurrent = n_layers - n_layers // every if every else n_layers
    return recurrent * (inner * state + taps * (inner + 2 * state)) * 4
