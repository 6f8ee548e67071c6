"""Small random checkpoints, with tokenizers that are trained on a few sentences."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from tokenizers import Regex as Pattern

from quantize.checkpoint.safetensors import from_floats, header_bytes

TEXTS = (
    "The quick brown fox jumps over the lazy dog and they've seen it, 1234 times in 2024.",
    "def f(x):\n    return {'a': [1, 22], 'b': x ** 2}  # a comment\n",
    "Größer, œuvre, mañana, Москва, 東京は暑い, 서울, العربية, हिन्दी",
    '<tool_call>\n{"name": "search", "arguments": {"query": ["q"]}}\n</tool_call>',
)
QWEN_SPLIT = (
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+"
    "[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
)
LLAMA3_SPLIT = QWEN_SPLIT.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
ADDED = ("<tool_call>", "</tool_call>", "<think>", "</think>")

QWEN3: Mapping[str, Any] = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000000.0,
    "tie_word_embeddings": True,
    "vocab_size": 384,
    "hidden_act": "silu",
    "torch_dtype": "bfloat16",
}
QWEN2 = {
    **{key: value for key, value in QWEN3.items() if key != "head_dim"},
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "tie_word_embeddings": False,
}
LLAMA = {
    **QWEN2,
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "rope_theta": 10000.0,
}


def weights(config: Mapping[str, Any], seed: int = 1) -> dict[str, NDArray[np.float32]]:
    """Random weights for every tensor of the architecture, at which activations stay near 1."""
    rng = np.random.default_rng(seed)
    width, inner, vocab = (config[k] for k in ("hidden_size", "intermediate_size", "vocab_size"))
    head = config.get("head_dim") or width // config["num_attention_heads"]
    q, kv = config["num_attention_heads"] * head, config["num_key_value_heads"] * head

    def matrix(rows: int, columns: int) -> NDArray[np.float32]:
        return (rng.standard_normal((rows, columns)) / np.sqrt(columns)).astype(np.float32)

    def norm(n: int) -> NDArray[np.float32]:
        return (1 + 0.1 * rng.standard_normal(n)).astype(np.float32)

    made = {"model.embed_tokens.weight": matrix(vocab, width), "model.norm.weight": norm(width)}
    if not config.get("tie_word_embeddings"):
        made["lm_head.weight"] = matrix(vocab, width)
    for i in range(config["num_hidden_layers"]):
        block = {
            "input_layernorm.weight": norm(width),
            "self_attn.q_proj.weight": matrix(q, width),
            "self_attn.k_proj.weight": matrix(kv, width),
            "self_attn.v_proj.weight": matrix(kv, width),
            "self_attn.o_proj.weight": matrix(width, q),
            "post_attention_layernorm.weight": norm(width),
            "mlp.gate_proj.weight": matrix(inner, width),
            "mlp.up_proj.weight": matrix(inner, width),
            "mlp.down_proj.weight": matrix(width, inner),
        }
        if config["model_type"] == "qwen2":
            for name, n in (("q", q), ("k", kv), ("v", kv)):
                block[f"self_attn.{name}_proj.bias"] = norm(n) - 1
        if config["model_type"] == "qwen3":
            block |= {f"self_attn.{name}_norm.weight": norm(head) for name in "qk"}
        made |= {f"model.layers.{i}.{name}": values for name, values in block.items()}
    return made


def write_shard(path: Path, tensors: Mapping[str, NDArray[np.float32]], kind: str) -> None:
    """A safetensors file with all tensors in one type."""
    entries = [(name, kind, values.shape) for name, values in tensors.items()]
    data = b"".join(from_floats(values, kind).tobytes() for values in tensors.values())
    path.write_bytes(header_bytes(entries, {"format": "pt"}) + data)


def write_checkpoint(
    folder: Path, config: Mapping[str, Any], kind: str = "BF16", shards: int = 1, seed: int = 1
) -> Path:
    """Weights and config.json; the tokenizer is written by one of the functions below."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    made = weights(config, seed)
    if shards == 1:
        write_shard(folder / "model.safetensors", made, kind)
        return folder
    names, placed = list(made), {}
    for i in range(shards):
        file = f"model-{i + 1:05d}-of-{shards:05d}.safetensors"
        part = names[i * len(names) // shards : (i + 1) * len(names) // shards]
        write_shard(folder / file, {name: made[name] for name in part}, kind)
        placed |= dict.fromkeys(part, file)
    index = {"metadata": {}, "weight_map": placed}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def write_byte_bpe(folder: Path, split: str = QWEN_SPLIT, n_vocab: int = 300) -> None:
    """A byte-level BPE as Qwen has it: marks, tokens of tools and thoughts, a template."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Pattern(split), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=n_vocab, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in SPECIAL])
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in ADDED])
    tokenizer.save(str(folder / "tokenizer.json"))
    told = {
        "tokenizer_class": "Qwen2Tokenizer",
        "add_bos_token": False,
        "bos_token": None,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "unk_token": None,
        "chat_template": TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    generation = {"temperature": 0.6, "top_k": 20, "top_p": 0.95, "repetition_penalty": 1.05}
    (folder / "generation_config.json").write_text(json.dumps(generation))


def write_sentencepiece(folder: Path) -> None:
    """A small SentencePiece BPE with bytes to fall back on, and one added token."""
    made = BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter("\n".join(TEXTS * 20).split("\n")),
        model_writer=made,
        vocab_size=380,
        model_type="bpe",
        byte_fallback=True,
        character_coverage=0.98,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=2,
    )
    (folder / "tokenizer.model").write_bytes(made.getvalue())
    (folder / "added_tokens.json").write_text(json.dumps({"<extra>": 380}))
    marks = {"0": "<unk>", "1": "<s>", "2": "</s>"}
    told = {
        "tokenizer_class": "LlamaTokenizer",
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "added_tokens_decoder": {
            id: {"content": text, "special": True} for id, text in marks.items()
        },
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
