"""What a model costs in memory: the facts of its file, and how much each choice takes of it.

The formulas follow llama.cpp b11434 and were fitted to the buffer sizes it logs; the table of both
is in benchmarks/RESULTS.md under "Fit".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge_agent.engine.core.draft import MAX_DRAFT
from edge_agent.engine.kv.cache import slots_for

KvType = Literal["f16", "q8_0"]
KV_BYTES: dict[KvType, float] = {"f16": 2.0, "q8_0": 34 / 32}  # q8_0: 32 values in 34 bytes
KV_BLOCK: dict[KvType, int] = {"f16": 1, "q8_0": 32}  # values that one block of a head holds
CTX_STEP = 256  # llama.cpp rounds the context up to a multiple of it
COMPUTE_MARGIN = 1.12  # the allocator leaves holes; no shape tried took more (see RESULTS.md)

# ggml tensor types that llama.cpp's CPU backend repacks into memory of its own, and the multiple
# the number of rows must be of (ggml_repack_get_optimal_repack_type in ggml-cpu/repack.cpp)
REPACKED_X86 = frozenset({2, 10, 12, 20, 39})  # Q4_0, Q2_K, Q4_K, IQ4_NL, MXFP4
REPACKED_ARM = frozenset({2, 8, 12, 13, 14, 20, 39, 41})  # Q8_0, Q5_K, Q6_K, Q1_0 too, no Q2_K
ARM = ("aarch64", "arm64")


def is_repacked(kind: int, rows: int, processor: str) -> bool:
    """Whether a matrix of `rows` rows is copied for the kernels of `platform.machine()`.

    Assumes that the processor has all the features there are: an upper estimate.
    """
    if processor.lower() in ARM:
        return kind in REPACKED_ARM and rows % 4 == 0
    return kind in REPACKED_X86 and rows % 8 == 0


@dataclass(frozen=True, slots=True)
class Layer:
    """One block. n_bytes, repacked_bytes: of its weights. kv_width: keys and values per token."""

    n_bytes: int
    repacked_bytes: int
    kv_width: int


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The facts of a GGUF header that decide how much memory it needs. Sizes in bytes, tokens.

    q_width: query values of one token in a layer. head_dims: of keys and of values. n_used: experts
    that compute a token, 0 in a dense model. windowed: some layers have a sliding window, and a
    mask of their own. state_bytes: recurrent state of one sequence. tied: the embedding is the
    output matrix too.
    """

    path: str
    n_ctx_train: int
    n_vocab: int
    n_embd: int
    n_ff: int
    q_width: int
    head_dims: tuple[int, int]
    layers: tuple[Layer, ...]
    embedding_bytes: int
    output: Layer
    tied: bool = False
    n_used: int = 0
    windowed: bool = False
    state_bytes: int = 0

    @property
    def weight_bytes(self) -> int:
        """All tensors of the file."""
        return self.embedding_bytes + self.output.n_bytes + sum(x.n_bytes for x in self.layers)

    @property
    def kv_width(self) -> int:
        """Keys and values of one token over all layers."""
        return sum(layer.kv_width for layer in self.layers)

    def kv_bytes_per_token(self, kv_type: KvType) -> float:
        """Bytes of keys and values of all layers for one token."""
        return self.kv_width * KV_BYTES[kv_type]

    def allows(self, kv_type: KvType) -> bool:
        """Whether heads can be cut into blocks of the type; llama.cpp refuses them otherwise."""
        return all(dim % KV_BLOCK[kv_type] == 0 for dim in self.head_dims)


@dataclass(frozen=True, slots=True)
class Layout:
    """A way to load a model. gpu_layers: the last so many blocks; one more is all of the model."""

    n_ctx: int
    n_batch: int
    n_parallel: int
    kv_type: KvType = "f16"
    gpu_layers: int = 0

    @property
    def n_cells(self) -> int:
        """KV cells that llama.cpp makes."""
        return -(-self.n_ctx // CTX_STEP) * CTX_STEP


@dataclass(frozen=True, slots=True)
class Parts:
    """Bytes in one kind of memory, by what they are for.

    A repacked matrix takes the place of its original: the file's page is given back (`pages.py`),
    and where it cannot be the system drops it when memory is short.
    """

    weights: int = 0
    repacked: int = 0
    kv: int = 0
    compute: int = 0
    outputs: int = 0
    adapters: int = 0

    @property
    def total(self) -> int:
        return self.weights + self.kv + self.compute + self.outputs + self.adapters


@dataclass(frozen=True, slots=True)
class Estimate:
    """Upper estimates of what llama.cpp takes; `device` is the memory of the accelerators."""

    host: Parts
    device: Parts


def estimate(
    shape: ModelShape, layout: Layout, adapter_bytes: int = 0, n_devices: int = 1
) -> Estimate:
    """What llama.cpp takes for the model loaded in that way."""
    compute = compute_bytes(shape, layout)
    outputs = output_bytes(shape, layout)
    if layout.gpu_layers == 0:
        return Estimate(_on_host(shape, layout, compute, outputs, adapter_bytes), Parts())
    whole = layout.gpu_layers > len(shape.layers)
    inputs = mask_bytes(shape, layout)
    return Estimate(
        _on_host(shape, layout, inputs if whole else compute, outputs, adapter_bytes),
        _on_device(shape, layout, compute * n_devices, adapter_bytes),
    )


def _on_host(
    shape: ModelShape, layout: Layout, compute: int, outputs: int, adapter_bytes: int
) -> Parts:
    # llama.cpp counts the output as one of the layers it moves, so one block fewer may move
    moved = max(layout.gpu_layers - 1, 0)
    layers = list(shape.layers[: len(shape.layers) - moved])
    matrices = layers if layout.gpu_layers else [*layers, shape.output]
    return Parts(
        weights=shape.embedding_bytes + sum(x.n_bytes for x in matrices),
        repacked=sum(x.repacked_bytes for x in matrices),
        kv=_kv_bytes(layers, layout) + _state_bytes(shape, layout, len(layers)),
        compute=compute,
        outputs=outputs,
        adapters=adapter_bytes,
    )


def _on_device(shape: ModelShape, layout: Layout, compute: int, adapter_bytes: int) -> Parts:
    layers = shape.layers[max(len(shape.layers) - layout.gpu_layers, 0) :]
    output = shape.output.n_bytes + (shape.embedding_bytes if shape.tied else 0)
    return Parts(
        weights=output + sum(layer.n_bytes for layer in layers),
        kv=_kv_bytes(layers, layout) + _state_bytes(shape, layout, len(layers)),
        compute=compute,
        adapters=adapter_bytes,
    )


def _kv_bytes(layers: list[Layer] | tuple[Layer, ...], layout: Layout) -> int:
    width = sum(layer.kv_width for layer in layers)
    return int(layout.n_cells * width * KV_BYTES[layout.kv_type])


def _state_bytes(shape: ModelShape, layout: Layout, n_layers: int) -> int:
    share = n_layers / max(len(shape.layers), 1)
    return int(shape.state_bytes * slots_for(layout.n_parallel) * share)


def output_bytes(shape: ModelShape, layout: Layout) -> int:
    """llama.cpp's output buffer: a row of logits for everything that may ask for one."""
    return (slots_for(layout.n_parallel) + MAX_DRAFT) * shape.n_vocab * 4


def mask_bytes(shape: ModelShape, layout: Layout) -> int:
    """The attention masks, in f16 as flash attention wants them."""
    kinds = 2 if shape.windowed else 1
    return layout.n_cells * min(layout.n_batch, layout.n_cells) * 2 * kinds


def compute_bytes(shape: ModelShape, layout: Layout) -> int:
    """llama.cpp's compute buffer with flash attention: the masks, and the widest step.

    The widest step holds either the values between two layers for every token of a batch (of a
    feed-forward, of the experts, of the attention), or the logits.
    """
    tokens = min(layout.n_batch, layout.n_cells)
    kv = max((layer.kv_width for layer in shape.layers), default=0) // 2
    between = max(
        3 * shape.n_ff + 3 * shape.n_embd + max(shape.q_width, shape.n_embd),
        shape.n_used * (3 * shape.n_ff + 2 * shape.n_embd),
        3 * shape.n_embd + 2 * shape.q_width + 3 * kv,
    )
    rotations = 2 * 4 * sum(dim * dim for dim in shape.head_dims) if layout.kv_type != "f16" else 0
    widest = max(tokens * between * 4, output_bytes(shape, layout) + tokens * shape.n_embd * 4)
    masks = mask_bytes(shape, layout)
    return int((masks + widest) * COMPUTE_MARGIN) + rotations + (1 << 20)
