"""Turns a GGUF of a Qwen2, Qwen3 or Llama back into a Hugging Face checkpoint, dequantised.

With it `convert` is measured on a real model where only its GGUF can be had: what is converted back
must predict what the original predicts.

    python benchmarks/gguf_to_hf.py MODEL.gguf OUT [--type F32|F16|BF16]
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader, TokenType, quants

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from quantize.checkpoint.safetensors import from_floats, header_bytes
from quantize.convert.names import BLOCK
from quantize.convert.pretokenizer import SPLITS

ARCHITECTURES = {"qwen2": "Qwen2", "qwen3": "Qwen3", "llama": "Llama"}
TOP = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
BACK = {short: long for long, short in BLOCK.items()}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--type", choices=("F32", "F16", "BF16"), default="F32")
    asked = parser.parse_args(arguments)
    file = GGUFReader(asked.source)
    asked.target.mkdir(parents=True)
    write_config(file, asked.target)
    write_tokenizer(file, asked.target)
    write_weights(file, asked.target, asked.type)
    print(asked.target)


def told(file: GGUFReader, key: str, otherwise: Any = None) -> Any:
    field = file.get_field(key)
    return otherwise if field is None else field.contents()


def write_config(file: GGUFReader, target: Path) -> None:
    arch = told(file, "general.architecture")
    names = {tensor.name for tensor in file.tensors}
    n_heads = told(file, f"{arch}.attention.head_count")
    config = {
        "architectures": [f"{ARCHITECTURES[arch]}ForCausalLM"],
        "model_type": arch,
        "hidden_size": told(file, f"{arch}.embedding_length"),
        "intermediate_size": told(file, f"{arch}.feed_forward_length"),
        "num_hidden_layers": told(file, f"{arch}.block_count"),
        "num_attention_heads": n_heads,
        "num_key_value_heads": told(file, f"{arch}.attention.head_count_kv", n_heads),
        "max_position_embeddings": told(file, f"{arch}.context_length"),
        "rms_norm_eps": told(file, f"{arch}.attention.layer_norm_rms_epsilon"),
        "rope_theta": told(file, f"{arch}.rope.freq_base", 10_000.0),
        "tie_word_embeddings": "output.weight" not in names,
        "vocab_size": len(told(file, "tokenizer.ggml.tokens")),
    }
    head = told(file, f"{arch}.attention.key_length")
    if head:
        config["head_dim"] = head
    (target / "config.json").write_text(json.dumps(config, indent=1))


def write_tokenizer(file: GGUFReader, target: Path) -> None:
    """Byte-level BPE only: tokens, merges, marks and the split by its name."""
    tokens = told(file, "tokenizer.ggml.tokens")
    kinds = told(file, "tokenizer.ggml.token_type")
    special = (TokenType.CONTROL, TokenType.USER_DEFINED)
    added = [
        {
            "id": id,
            "content": text,
            "special": kind == TokenType.CONTROL,
            "normalized": False,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
        }
        for id, (text, kind) in enumerate(zip(tokens, kinds, strict=True))
        if kind in special
    ]
    words = {
        text: id
        for id, (text, kind) in enumerate(zip(tokens, kinds, strict=True))
        if kind == TokenType.NORMAL
    }
    pre = told(file, "tokenizer.ggml.pre")
    (split, _), *_ = (steps for steps, name in SPLITS.items() if name == pre)
    steps = [
        {
            "type": "Split",
            "pattern": {"Regex": split.removeprefix("split ")},
            "behavior": "Isolated",
            "invert": False,
        },
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False},
    ]
    merges = [merge.split(" ") for merge in told(file, "tokenizer.ggml.merges")]
    tokenizer = {
        "version": "1.0",
        "added_tokens": added,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
        "post_processor": steps[1],
        "decoder": steps[1],
        "model": {"type": "BPE", "vocab": words, "merges": merges, "byte_fallback": False},
    }
    (target / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False))
    marks = {
        f"{name}_token": tokens[told(file, f"tokenizer.ggml.{key}_token_id")]
        for name, key in (("bos", "bos"), ("eos", "eos"), ("pad", "padding"))
        if told(file, f"tokenizer.ggml.{key}_token_id") is not None
    }
    config = {
        **marks,
        "add_bos_token": bool(told(file, "tokenizer.ggml.add_bos_token", False)),
        "chat_template": told(file, "tokenizer.chat_template"),
    }
    (target / "tokenizer_config.json").write_text(json.dumps(config, ensure_ascii=False))


def long_name(name: str) -> str:
    if name in TOP:
        return TOP[name]
    match = re.fullmatch(r"blk\.(\d+)\.(\w+)\.(weight|bias)", name)
    if match is None or match[2] not in BACK:
        raise SystemExit(f"{name} has no place in a checkpoint.")
    return f"model.layers.{match[1]}.{BACK[match[2]]}.{match[3]}"


def write_weights(file: GGUFReader, target: Path, kind: str) -> None:
    arch = told(file, "general.architecture")
    heads = {
        "attn_q": told(file, f"{arch}.attention.head_count"),
        "attn_k": told(file, f"{arch}.attention.head_count_kv"),
    }
    entries = [
        (long_name(t.name), kind, tuple(int(n) for n in reversed(t.shape))) for t in file.tensors
    ]
    with (target / "model.safetensors").open("wb") as out:
        out.write(header_bytes(entries, {"format": "pt"}))
        for tensor in file.tensors:
            values = quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
            part = tensor.name.split(".")[-2]
            if arch == "llama" and part in heads:
                values = halved(values, heads[part])
            out.write(memoryview(from_floats(values, kind)).cast("B"))


def halved(values: np.ndarray, n_heads: int) -> np.ndarray:
    """Rows of each head from pairs back to (first half, second half)."""
    pairs = values.reshape(n_heads, -1, 2, values.shape[-1])
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(values.shape)


if __name__ == "__main__":
    main(sys.argv[1:])
