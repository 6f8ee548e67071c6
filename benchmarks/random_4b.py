"""Writes a GGUF with Qwen3-4B's shape and random weights in the mix of types of Q4_K_M.

What a model of that size costs can be measured with it where the real one cannot be had; what it
writes means nothing. The tokenizer comes from another GGUF.

    python benchmarks/random_4b.py --vocab-from qwen2.5-1.5b.gguf random-qwen3-4b-q4_k_m.gguf
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter, LlamaFileType, TokenType
from gguf.constants import GGML_QUANT_SIZES
from numpy.typing import NDArray
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

Bytes = NDArray[np.uint8]
F32, Q4_K, Q6_K = (
    GGMLQuantizationType.F32,
    GGMLQuantizationType.Q4_K,
    GGMLQuantizationType.Q6_K,
)
WEIGHT_STD = 0.02  # as models are initialised: activations and logits stay near 1
BLOCKS_AT_ONCE = 1 << 17  # 32 million weights: what is made at once takes less than 100 MB
COPIED = ("model", "pre", "bos_token_id", "eos_token_id", "padding_token_id", "add_bos_token")


@dataclass(frozen=True, slots=True)
class Shape:
    """A dense Qwen3. Widths in elements; the tokens of the embedding are padded to `n_vocab`."""

    name: str
    n_layers: int
    width: int
    n_heads: int
    n_kv_heads: int
    head_width: int
    feed_forward: int
    n_vocab: int
    n_ctx: int = 40_960


SHAPES = {
    "4b": Shape("Random Qwen3 4B", 36, 2560, 32, 8, 128, 9728, 151_936),
    "tiny": Shape("Random Qwen3 tiny", 4, 256, 4, 2, 64, 512, 0, 4096),
}


@dataclass(frozen=True, slots=True)
class Weight:
    """A tensor to be written; `shape` with the rows first, as numpy has it."""

    name: str
    shape: tuple[int, ...]
    type: GGMLQuantizationType

    @property
    def n_bytes(self) -> int:
        per_block, size = GGML_QUANT_SIZES[self.type]
        return int(np.prod(self.shape)) // per_block * size


def weights(shape: Shape, n_vocab: int) -> Iterator[Weight]:
    """All tensors; the embedding is the output too, as in the real model."""
    width, q = shape.width, shape.n_heads * shape.head_width
    kv = shape.n_kv_heads * shape.head_width
    yield Weight("token_embd.weight", (n_vocab, width), Q6_K)
    for i in range(shape.n_layers):
        more = Q6_K if gets_more_bits(i, shape.n_layers) else Q4_K
        yield from (
            Weight(f"blk.{i}.{name}.weight", size, kind)
            for name, size, kind in (
                ("attn_norm", (width,), F32),
                ("attn_q", (q, width), Q4_K),
                ("attn_k", (kv, width), Q4_K),
                ("attn_v", (kv, width), more),
                ("attn_q_norm", (shape.head_width,), F32),
                ("attn_k_norm", (shape.head_width,), F32),
                ("attn_output", (width, q), Q4_K),
                ("ffn_norm", (width,), F32),
                ("ffn_gate", (shape.feed_forward, width), Q4_K),
                ("ffn_up", (shape.feed_forward, width), Q4_K),
                ("ffn_down", (width, shape.feed_forward), more),
            )
        )
    yield Weight("output_norm.weight", (width,), F32)


def gets_more_bits(layer: int, n_layers: int) -> bool:
    """Half of the layers: the first and last eighth, and every third between (llama-quant.cpp)."""
    eighth = n_layers // 8
    return layer < eighth or layer >= 7 * n_layers // 8 or (layer - eighth) % 3 == 2


def random_blocks(weight: Weight, draw: np.random.Generator) -> Bytes:
    """The bytes of a tensor, shape (rows, bytes per row)."""
    if weight.type == F32:
        return np.ones(weight.shape, np.float32).view(np.uint8)
    per_block, size = GGML_QUANT_SIZES[weight.type]
    n_blocks = int(np.prod(weight.shape)) // per_block
    made = np.empty((n_blocks, size), np.uint8)
    fill = fill_q4_k if weight.type == Q4_K else fill_q6_k
    for start in range(0, n_blocks, BLOCKS_AT_ONCE):
        fill(made[start : start + BLOCKS_AT_ONCE], draw)
    return made.reshape(weight.shape[0], -1)


def fill_q4_k(blocks: Bytes, draw: np.random.Generator) -> None:
    """256 weights in 144 bytes: d and dmin (f16), 8 scales and 8 minima of 6 bits, 4-bit values.

    A weight is d * scale * q - dmin * minimum. With minimum = scale and dmin = 7.5 d it is
    d * scale * (q - 7.5): centred, and q - 7.5 has a standard deviation of 4.61.
    """
    n = len(blocks)
    scale = draw.integers(32, 64, (n, 8), np.uint8)
    d = WEIGHT_STD / (4.61 * 48)  # 48: the scales' root mean square, about
    blocks[:, 0:4] = np.array([d, 7.5 * d], "<f2").view(np.uint8)
    low, high = scale[:, :4], scale[:, 4:]
    blocks[:, 4:8] = low | (high >> 4) << 6
    blocks[:, 8:12] = low | (high >> 4) << 6
    blocks[:, 12:16] = (high & 15) | (high & 15) << 4
    blocks[:, 16:] = draw.integers(0, 256, (n, 128), np.uint8)


def fill_q6_k(blocks: Bytes, draw: np.random.Generator) -> None:
    """256 weights in 210 bytes: 6-bit values, 16 scales (int8), d (f16).

    A weight is d * scale * (q - 32); q - 32 has a standard deviation of 18.5.
    """
    n = len(blocks)
    blocks[:, :192] = draw.integers(0, 256, (n, 192), np.uint8)
    blocks[:, 192:208] = draw.integers(64, 128, (n, 16), np.uint8)
    d = WEIGHT_STD / (18.5 * 97)
    blocks[:, 208:] = np.array([d], "<f2").view(np.uint8)


def describe(writer: GGUFWriter, shape: Shape) -> None:
    """The header's facts about the model."""
    writer.add_name(shape.name)
    writer.add_file_type(LlamaFileType.MOSTLY_Q4_K_M)
    writer.add_quantization_version(2)
    writer.add_block_count(shape.n_layers)
    writer.add_context_length(shape.n_ctx)
    writer.add_embedding_length(shape.width)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.n_heads)
    writer.add_head_count_kv(shape.n_kv_heads)
    writer.add_key_length(shape.head_width)
    writer.add_value_length(shape.head_width)
    writer.add_rope_freq_base(1_000_000.0)
    writer.add_layer_norm_rms_eps(1e-6)


def copy_tokenizer(writer: GGUFWriter, source: GGUFReader, n_vocab: int) -> int:
    """Tokens, merges and template of `source`, padded to `n_vocab`; returns how many there are."""
    tokens = list(_field(source, "tokenizer.ggml.tokens"))
    kinds = [int(kind) for kind in _field(source, "tokenizer.ggml.token_type")]
    padding = range(len(tokens), n_vocab)
    tokens += [f"[PAD{i}]" for i in padding]
    kinds += [int(TokenType.UNUSED)] * len(padding)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(list(_field(source, "tokenizer.ggml.merges")))
    for name in COPIED:
        _copy(writer, source, f"tokenizer.ggml.{name}")
    _copy(writer, source, "tokenizer.chat_template")
    return len(tokens)


def _field(source: GGUFReader, name: str) -> Any:
    field = source.get_field(name)
    if field is None:
        raise SystemExit(f"The file that the tokenizer is taken from has no {name}: name another.")
    return field.contents()


def _copy(writer: GGUFWriter, source: GGUFReader, name: str) -> None:
    field = source.get_field(name)
    if field is not None:
        writer.add_key_value(name, field.contents(), field.types[0])


def write(target: Path, vocab_from: Path, shape: Shape, seed: int) -> int:
    """Write the file; it appears whole, in one step. Returns its size in bytes."""
    part = target.with_name(f".{target.name}.part")
    try:
        writer = GGUFWriter(part, "qwen3")
        describe(writer, shape)
        n_vocab = copy_tokenizer(writer, GGUFReader(vocab_from), shape.n_vocab)
        _write_weights(writer, list(weights(shape, n_vocab)), np.random.default_rng(seed))
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target.stat().st_size


def _write_weights(
    writer: GGUFWriter, all_weights: list[Weight], draw: np.random.Generator
) -> None:
    for weight in all_weights:
        per_block, size = GGML_QUANT_SIZES[weight.type]
        shape = (*weight.shape[:-1], weight.shape[-1] // per_block * size)
        raw = shape if weight.type != F32 else weight.shape
        kind = np.dtype(np.float32 if weight.type == F32 else np.uint8)
        writer.add_tensor_info(weight.name, raw, kind, weight.n_bytes, weight.type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for weight in with_bar(all_weights):
        writer.write_tensor_data(random_blocks(weight, draw))
    writer.close()


def with_bar(all_weights: list[Weight]) -> Iterator[Weight]:
    """The weights, with a bar of the bytes written."""
    columns = BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task("", total=sum(weight.n_bytes for weight in all_weights))
        for weight in all_weights:
            yield weight
            progress.advance(task, weight.n_bytes)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("target", type=Path, help="the GGUF to write")
    parser.add_argument("--vocab-from", type=Path, required=True, help="a GGUF with a tokenizer")
    parser.add_argument("--shape", choices=SHAPES, default="4b")
    parser.add_argument("--seed", type=int, default=20)
    asked = parser.parse_args(arguments)
    size = write(asked.target, asked.vocab_from, SHAPES[asked.shape], asked.seed)
    print(f"{asked.target}: {size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
