from __future__ import annotations

import json
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader, quants

from edge_agent.catalog.gguf import read_gguf
from edge_agent.errors import BadModelFile, EdgeAgentError, NotSupported, RequestError
from quantize.context import Opening, opened
from quantize.convert.convert import convert
from tests.quantize.checkpoints import (
    LLAMA,
    LLAMA3_SPLIT,
    QWEN3,
    TEMPLATE,
    weights,
    write_byte_bpe,
    write_checkpoint,
    write_shard,
)


def field(file: GGUFReader, key: str) -> Any:
    found = file.get_field(key)
    return None if found is None else found.contents()


def floats(file: GGUFReader) -> dict[str, np.ndarray]:
    """Every tensor as numbers, its rows first."""
    return {t.name: quants.dequantize(t.data, t.tensor_type) for t in file.tensors}


def rounded(values: np.ndarray) -> np.ndarray:
    bits = values.view(np.uint32)
    return (((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16) << 16).astype(np.uint32).view(np.float32)


def test_every_weight_arrives_in_its_place(checkpoint: Path, tmp_path: Path) -> None:
    made = convert(checkpoint, tmp_path / "out.gguf")
    config = json.loads((checkpoint / "config.json").read_text())
    source, found = weights(config), floats(GGUFReader(made.path))
    tied = config["tie_word_embeddings"]
    assert len(found) == len(source) == made.n_tensors
    assert np.array_equal(found["token_embd.weight"], rounded(source["model.embed_tokens.weight"]))
    assert ("output.weight" in found) != tied
    down = rounded(source["model.layers.1.mlp.down_proj.weight"])
    assert np.array_equal(found["blk.1.ffn_down.weight"], down)
    query = rounded(source["model.layers.0.self_attn.q_proj.weight"])
    if made.arch == "llama":  # row 1 of a head is the first of its second half
        head = len(query) // config["num_attention_heads"]
        assert np.array_equal(found["blk.0.attn_q.weight"][1], query[head // 2])
        assert np.array_equal(found["blk.0.attn_q.weight"][head + 2], query[head + 1])
    else:
        assert np.array_equal(found["blk.0.attn_q.weight"], query)


def test_the_header_says_what_the_folder_says(checkpoint: Path, tmp_path: Path) -> None:
    made = convert(checkpoint, tmp_path / "out.gguf")
    file, arch = GGUFReader(made.path), made.arch
    config = json.loads((checkpoint / "config.json").read_text())
    assert field(file, "general.architecture") == arch
    assert field(file, "general.file_type") == 32
    assert field(file, "general.sampling.top_k") == 20
    assert field(file, "general.sampling.penalty_repeat") == pytest.approx(1.05)
    assert field(file, f"{arch}.block_count") == config["num_hidden_layers"]
    assert field(file, f"{arch}.rope.freq_base") == config["rope_theta"]
    assert field(file, "tokenizer.ggml.pre") == "qwen2"
    assert field(file, "tokenizer.chat_template") == TEMPLATE
    tokens = field(file, "tokenizer.ggml.tokens")
    kinds = dict(zip(tokens, field(file, "tokenizer.ggml.token_type"), strict=True))
    assert len(tokens) == config["vocab_size"]
    assert (kinds["<|im_end|>"], kinds["<think>"], kinds["[PAD383]"]) == (3, 4, 5)
    assert tokens[field(file, "tokenizer.ggml.eos_token_id")] == "<|im_end|>"


@pytest.mark.parametrize("type", ["f32", "f16", "bf16", "q8_0"])
def test_each_type_is_written_and_loaded(llama_checkpoint: Path, tmp_path: Path, type: str) -> None:
    made = convert(llama_checkpoint, tmp_path / "out.gguf", type)
    kinds = {t.name: t.tensor_type.name.lower() for t in GGUFReader(made.path).tensors}
    assert kinds["blk.0.ffn_up.weight"] == kinds["output.weight"] == type
    assert kinds["blk.0.ffn_norm.weight"] == "f32"
    with opened(Opening(made.path, 64, 1)) as model:
        logits = model.read([1, 2, 3], 0, 3)
        assert np.isfinite(logits).all()
        assert logits.std() > 0.1


def test_q8_0_is_what_the_library_makes_of_it(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "c", LLAMA)
    write_byte_bpe(folder)
    file = GGUFReader(convert(folder, tmp_path / "out.gguf", "q8_0").path)
    found = next(t for t in file.tensors if t.name == "blk.0.ffn_up.weight")
    source = rounded(weights(LLAMA)["model.layers.0.mlp.up_proj.weight"])
    assert np.array_equal(found.data, quants.quantize(source, GGMLQuantizationType.Q8_0))


@pytest.mark.parametrize("stored", ["F32", "F16", "BF16"])
def test_whatever_it_is_stored_as(tmp_path: Path, stored: str) -> None:
    folder = write_checkpoint(tmp_path / "c", QWEN3, stored)
    write_byte_bpe(folder)
    found = floats(GGUFReader(convert(folder, tmp_path / "out.gguf", "f32").path))
    source = weights(QWEN3)["model.layers.0.mlp.up_proj.weight"]
    exact = {"F32": source, "F16": source.astype(np.float16), "BF16": rounded(source)}[stored]
    assert np.array_equal(found["blk.0.ffn_up.weight"], exact.astype(np.float32))


def test_memory_does_not_grow_with_the_model(tmp_path: Path) -> None:
    wide = {**LLAMA, "hidden_size": 512, "intermediate_size": 32768, "num_hidden_layers": 1}
    folder = write_checkpoint(tmp_path / "c", wide, "F32")
    write_byte_bpe(folder)
    tracemalloc.start()
    try:
        made = convert(folder, tmp_path / "out.gguf", "f16", proven=False)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert made.n_bytes > 100_000_000
    assert peak < 60_000_000


def test_progress_comes_to_its_end_and_stopping_leaves_nothing(
    llama_checkpoint: Path, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    convert(
        llama_checkpoint, tmp_path / "a.gguf", progress=lambda _, done, n: seen.append((done, n))
    )
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]

    def stop(_: str, done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(llama_checkpoint, tmp_path / "b.gguf", progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["a.gguf"]


def changed(folder: Path, target: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy with another config.json."""
    shutil.copytree(folder, target)
    config = json.loads((target / "config.json").read_text())
    change(config)
    (target / "config.json").write_text(json.dumps(config))
    return target


CONFIG_FAULTS: list[tuple[dict[str, Any], type[EdgeAgentError], str]] = [
    ({"architectures": ["GptOssForCausalLM"]}, NotSupported, "is a GptOssForCausalLM"),
    ({"quantization_config": {"quant_method": "gptq"}}, NotSupported, "quantised with gptq"),
    ({"num_hidden_layers": 3}, BadModelFile, r"lacks the tensors model\.layers\.2\.input"),
    ({"num_hidden_layers": 1}, NotSupported, "holds tensors that no such model has"),
    ({"hidden_size": None}, BadModelFile, "no whole number for hidden_size"),
    ({"rms_norm_eps": "small"}, BadModelFile, "no number for rms_norm_eps"),
    ({"intermediate_size": 128}, BadModelFile, r"has the shape \(160, 64\)"),
    ({"vocab_size": 100}, BadModelFile, r"has the shape \(384, 64\)"),
    ({"rope_scaling": {"type": "spiral"}}, NotSupported, "type spiral"),
    ({"rope_scaling": {"type": "yarn", "factor": 2.0}}, BadModelFile, "original_max_position"),
    ({"rope_scaling": {"type": "longrope", "factor": 2.0}}, BadModelFile, "in long_factor"),
]


@pytest.mark.parametrize(("change", "kind", "said"), CONFIG_FAULTS)
def test_a_configuration_that_does_not_fit_is_said(
    llama_checkpoint: Path,
    tmp_path: Path,
    change: dict[str, Any],
    kind: type[EdgeAgentError],
    said: str,
) -> None:
    folder = changed(llama_checkpoint, tmp_path / "c", lambda config: config.update(change))
    with pytest.raises(kind, match=said):
        convert(folder, tmp_path / "out.gguf")
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_types_that_do_not_fit_are_said(llama_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="q4_k_m is no type of `convert`"):
        convert(llama_checkpoint, tmp_path / "out.gguf", "q4_k_m")
    odd = write_checkpoint(tmp_path / "odd", {**LLAMA, "intermediate_size": 100})
    write_byte_bpe(odd)
    with pytest.raises(RequestError, match="rows of 100 weights, which Q8_0 cannot hold"):
        convert(odd, tmp_path / "out.gguf", "q8_0")
    large = {"w": np.full((4, 4), 1e6, np.float32)}
    big = write_checkpoint(tmp_path / "big", LLAMA)
    write_byte_bpe(big)
    made = weights(LLAMA)
    made["lm_head.weight"][0, 0] = large["w"][0, 0]
    write_shard(big / "model.safetensors", made, "BF16")
    with pytest.raises(RequestError, match=r"beyond f16's 65,504"):
        convert(big, tmp_path / "out.gguf", "f16")
    assert not (tmp_path / "out.gguf").exists()


def test_rope_scaling_becomes_keys_or_a_tensor(llama_checkpoint: Path, tmp_path: Path) -> None:
    def made(name: str, rope: dict[str, Any]) -> GGUFReader:
        folder = changed(
            llama_checkpoint, tmp_path / name, lambda config: config.update(rope_scaling=rope)
        )
        return GGUFReader(convert(folder, tmp_path / f"{name}.gguf").path)

    linear = made("linear", {"rope_type": "linear", "factor": 4.0})
    assert field(linear, "llama.rope.scaling.type") == "linear"
    assert field(linear, "llama.rope.scaling.factor") == 4.0
    yarn = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128}
    assert field(made("yarn", yarn), "llama.rope.scaling.original_context_length") == 128
    llama3 = made("llama3", {"rope_type": "llama3", "factor": 8.0})
    factors = floats(llama3)["rope_freqs.weight"]
    assert field(llama3, "llama.rope.scaling.type") is None
    assert (factors[0], factors.shape) == (1.0, (8,))
    assert (np.diff(factors) >= 0).all()


def test_a_split_that_llama_cpp_has_by_another_name_is_found(
    llama_checkpoint: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "c"
    shutil.copytree(llama_checkpoint, folder)
    write_byte_bpe(folder, LLAMA3_SPLIT)
    made = convert(folder, tmp_path / "out.gguf")
    assert field(GGUFReader(made.path), "tokenizer.ggml.pre") == "llama-bpe"


def test_tokenizers_that_cannot_be_mapped_are_said(llama_checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    shutil.copytree(llama_checkpoint, folder)
    path = folder / "tokenizer.json"
    whole = path.read_text()

    def refused(tokenizer: dict[str, Any]) -> str:
        path.write_text(json.dumps(tokenizer))
        with pytest.raises(EdgeAgentError) as caught:
            convert(folder, tmp_path / "out.gguf")
        assert not (tmp_path / "out.gguf").exists()
        return str(caught.value)

    unigram = json.loads(whole)
    unigram["model"]["type"] = "Unigram"
    assert "it is a Unigram" in refused(unigram)
    other = json.loads(whole)
    other["pre_tokenizer"] = {"type": "Whitespace"}
    assert "cuts text in a way (Whitespace)" in refused(other)
    merged = json.loads(whole)
    merged["model"]["merges"] = []
    assert "no merges" in refused(merged)
    lowered = json.loads(whole)
    lowered["normalizer"] = {"type": "Lowercase"}
    assert "--unproven" in refused(lowered)
    assert convert(folder, tmp_path / "unproven.gguf", proven=False).path.is_file()
    write_byte_bpe(folder, n_vocab=400)
    assert "where the embedding has 384 rows" in refused(json.loads(path.read_text()))
    path.unlink()
    with pytest.raises(NotSupported, match="neither tokenizer"):
        convert(folder, tmp_path / "other.gguf")


def test_the_name_and_the_parents_come_from_the_model_card(
    llama_checkpoint: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "c"
    shutil.copytree(llama_checkpoint, folder)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\nbase_model:\n- org/Some-4B\n---\n")
    file = GGUFReader(convert(folder, tmp_path / "out.gguf").path)
    assert field(file, "general.license") == "apache-2.0"
    assert field(file, "general.base_model.0.organization") == "Org"
    (folder / "README.md").write_text("---\n: [\n---\n")
    with pytest.raises(BadModelFile, match="description"):
        convert(folder, tmp_path / "other.gguf")


def test_the_same_checkpoint_gives_the_same_bytes(llama_checkpoint: Path, tmp_path: Path) -> None:
    one = convert(llama_checkpoint, tmp_path / "one.gguf").path
    two = convert(llama_checkpoint, tmp_path / "two.gguf").path
    assert one.read_bytes() == two.read_bytes()
    assert read_gguf(one).n_tensors == 21
