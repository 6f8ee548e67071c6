"""What the planner is told of a file, for layers that are not all alike."""

from __future__ import annotations

from pathlib import Path

from edge_agent.catalog.gguf import GgufHeader, Tensor, Value, read_gguf
from edge_agent.cli.shapes import shape_of

Q4_K, Q6_K = 12, 14


def header(*tensors: Tensor, **numbers: Value) -> GgufHeader:
    known: dict[str, Value] = {
        "block_count": 4,
        "embedding_length": 256,
        "feed_forward_length": 512,
        "attention.head_count": 4,
        "attention.head_count_kv": 2,
        **{name.replace("__", "."): value for name, value in numbers.items()},
    }
    metadata = {f"any.{name}": value for name, value in known.items()}
    metadata["general.architecture"] = "any"
    return GgufHeader(Path("any.gguf"), 3, metadata, tensors, 0)


def test_every_byte_of_a_real_file_is_somewhere(qwen_path: Path) -> None:
    shape, real = shape_of(read_gguf(qwen_path)), read_gguf(qwen_path)
    assert shape.weight_bytes == sum(tensor.n_bytes for tensor in real.tensors)
    assert (len(shape.layers), shape.n_vocab, shape.n_embd, shape.n_ff) == (24, 151_936, 896, 4864)
    assert (shape.q_width, shape.head_dims, shape.kv_width) == (896, (64, 64), 24 * 2 * 128)
    assert not shape.tied and shape.n_ctx_train == 32_768


def test_a_layer_may_have_fewer_heads_or_none() -> None:
    shape = shape_of(header(attention__head_count_kv=(2, 0, 0, 1)))
    assert [layer.kv_width for layer in shape.layers] == [256, 0, 0, 128]


def test_keys_and_values_in_every_other_layer() -> None:
    shape = shape_of(header(full_attention_interval=2, ssm__inner_size=64, ssm__state_size=16))
    assert [layer.kv_width for layer in shape.layers] == [0, 256, 0, 256]
    assert shape.state_bytes == 2 * 64 * 16 * 4


def test_what_is_copied_depends_on_the_processor() -> None:
    tensors = (
        Tensor("token_embd.weight", (256, 1000), Q6_K, 0),
        Tensor("blk.0.ffn_up.weight", (256, 512), Q4_K, 0),
        Tensor("blk.0.ffn_down.weight", (512, 256), Q6_K, 0),
    )
    x86, arm = (shape_of(header(*tensors), cpu) for cpu in ("x86_64", "aarch64"))
    up, down = tensors[1].n_bytes, tensors[2].n_bytes
    assert x86.layers[0].repacked_bytes == up
    assert arm.layers[0].repacked_bytes == up + down
    assert x86.tied and x86.output.n_bytes == 0
    assert (x86.output.repacked_bytes, arm.output.repacked_bytes) == (0, tensors[0].n_bytes)


def test_experts_and_windows_are_seen() -> None:
    shape = shape_of(
        header(
            expert_used_count=8,
            expert_feed_forward_length=128,
            attention__sliding_window=1024,
            attention__key_length=96,
            attention__value_length=64,
        )
    )
    assert (shape.n_used, shape.n_ff, shape.windowed) == (8, 128, True)
    assert shape.head_dims == (96, 64) and shape.q_width == 4 * 96
    assert shape.layers[0].kv_width == 2 * (96 + 64)
