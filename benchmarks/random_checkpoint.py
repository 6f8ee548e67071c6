"""Writes a Hugging Face checkpoint with Qwen3-4B's shape and random weights in bfloat16.

What converting, quantising and loading a model of that size costs can be measured with it; what it
writes means nothing. The tokenizer's files come from another folder.

    python benchmarks/random_checkpoint.py --tokenizer FOLDER [--shape tiny] OUT
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from quantize.checkpoint.safetensors import Bytes, from_floats, header_bytes

QWEN3_4B: Mapping[str, Any] = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 40960,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000000.0,
    "tie_word_embeddings": True,
    "vocab_size": 151936,
    "hidden_act": "silu",
    "torch_dtype": "bfloat16",
}
TINY = {
    **QWEN3_4B,
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
}
SHAPES = {"4b": QWEN3_4B, "tiny": TINY}
SHARD_BYTES = 4_000_000_000
DRAWN = 1 << 24  # weights that are drawn; larger tensors repeat them
STD = 0.02
FILES = ("tokenizer.json", "tokenizer_config.json")

Shapes = dict[str, tuple[int, ...]]


def shapes(config: Mapping[str, Any]) -> Shapes:
    """Every tensor of a tied Qwen3."""
    width, inner, head = (config[k] for k in ("hidden_size", "intermediate_size", "head_dim"))
    q, kv = (head * config[k] for k in ("num_attention_heads", "num_key_value_heads"))
    block: Shapes = {
        "input_layernorm": (width,),
        "self_attn.q_proj": (q, width),
        "self_attn.k_proj": (kv, width),
        "self_attn.v_proj": (kv, width),
        "self_attn.o_proj": (width, q),
        "self_attn.q_norm": (head,),
        "self_attn.k_norm": (head,),
        "post_attention_layernorm": (width,),
        "mlp.gate_proj": (inner, width),
        "mlp.up_proj": (inner, width),
        "mlp.down_proj": (width, inner),
    }
    found: Shapes = {"model.embed_tokens.weight": (config["vocab_size"], width)}
    for i in range(config["num_hidden_layers"]):
        found |= {f"model.layers.{i}.{name}.weight": shape for name, shape in block.items()}
    return found | {"model.norm.weight": (width,)}


def shards(all_shapes: Shapes) -> list[Shapes]:
    found: list[Shapes] = [{}]
    for name, shape in all_shapes.items():
        held = sum(2 * math.prod(other) for other in found[-1].values())
        if found[-1] and held + 2 * math.prod(shape) > SHARD_BYTES:
            found.append({})
        found[-1][name] = shape
    return found


def data(shape: tuple[int, ...], drawn: Bytes) -> Iterator[Bytes]:
    left = 2 * math.prod(shape)
    if len(shape) == 1:
        yield from_floats(np.ones(shape, np.float32), "BF16")
        return
    while left:
        yield drawn[: min(left, drawn.size)]
        left -= min(left, drawn.size)


def write(folder: Path, config: Mapping[str, Any], tokenizer: Path, seed: int) -> int:
    """Returns the bytes written."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    for name in FILES:
        shutil.copy(tokenizer / name, folder / name)
    draw = np.random.default_rng(seed)
    drawn = from_floats(draw.standard_normal(DRAWN, np.float32) * np.float32(STD), "BF16")
    parts, placed = shards(shapes(config)), {}
    for i, part in enumerate(parts):
        name = f"model-{i + 1:05d}-of-{len(parts):05d}.safetensors"
        placed |= dict.fromkeys(part, name)
        with (folder / name).open("wb") as file:
            file.write(header_bytes([(n, "BF16", s) for n, s in part.items()], {"format": "pt"}))
            for shape in track(part.values(), f"file {i + 1} of {len(parts)}", transient=True):
                for piece in data(shape, drawn):
                    file.write(memoryview(piece))
    index = {"metadata": {}, "weight_map": placed}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return sum(path.stat().st_size for path in folder.iterdir())


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("target", type=Path, help="a folder that is not there yet")
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--shape", choices=SHAPES, default="4b")
    parser.add_argument("--seed", type=int, default=20)
    asked = parser.parse_args(arguments)
    size = write(asked.target, SHAPES[asked.shape], asked.tokenizer, asked.seed)
    print(f"{asked.target}: {size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
