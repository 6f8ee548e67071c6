"""The flags that say how a model is loaded, and what of them needs more than passing on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_agent.errors import ConfigError

Parallel = Annotated[
    int | None,
    typer.Option(
        "--parallel",
        "-np",
        help="Sequences that decode at once; each request then gets its share of --ctx-size.",
    ),
]
BatchSize = Annotated[
    int | None, typer.Option("--batch-size", "-b", help="Most tokens computed in one step.")
]
GpuLayers = Annotated[
    int | None,
    typer.Option(
        "--n-gpu-layers",
        "-ngl",
        help="Layers on the accelerator; -1 is all of them, -2 as many as fit.",
    ),
]
KvTypeName = Annotated[
    str | None,
    typer.Option(
        "--kv-type",
        help="Storage of keys and values: f16, q8_0 (half the memory, slower prefill), or auto: "
        "f16 unless only q8_0 fits.",
    ),
]
CacheTypeK = Annotated[
    str | None,
    typer.Option("--cache-type-k", "-ctk", help="llama-server's word for --kv-type, keys."),
]
CacheTypeV = Annotated[
    str | None,
    typer.Option("--cache-type-v", "-ctv", help="The same for values; must be the keys' type."),
]
Lora = Annotated[
    list[str] | None,
    typer.Option(
        "--lora",
        help="A LoRA adapter (GGUF) applied to every request: FILE, or FILE=SCALE where 1 is as "
        "trained; may be repeated.",
    ),
]
LoraScaled = Annotated[
    list[str] | None,
    typer.Option("--lora-scaled", help="FILE:SCALE, llama-server's word for --lora FILE=SCALE."),
]
CacheRam = Annotated[
    int | None,
    typer.Option(
        "--cache-ram",
        "-cram",
        help="MiB of memory for prefixes that were moved out of the KV cache; 0 keeps none. By "
        "default 512, or a tenth of the free memory if that is less.",
    ),
]
PrefixDir = Annotated[
    Path | None,
    typer.Option(
        "--prefix-dir",
        help="Folder where pinned prefixes (system prompt and tools) outlive the server; by "
        "default prefixes in the cache folder.",
    ),
]
PrefixDisk = Annotated[
    int | None,
    typer.Option("--prefix-disk", help="Most MiB of disk for --prefix-dir; 0 keeps none."),
]
Speculate = Annotated[
    bool | None,
    typer.Option(
        "--speculate/--no-speculate",
        help="Guess tokens ahead from the prompt where that is faster, or never.",
    ),
]
Chunk = Annotated[
    int | None,
    typer.Option(
        "--chunk",
        help="Tokens of a new prompt that one step computes while another stream is being read; "
        "0 adapts to the device.",
    ),
]
StuckAfter = Annotated[
    float | None,
    typer.Option(
        "--stuck-after",
        help="Seconds without a step, while requests wait, after which the engine is restarted.",
    ),
]


def kv_type_of(kv_type: str | None, keys: str | None, values: str | None) -> str | None:
    """The one type that the three flags name; raises ConfigError when they differ."""
    named = {name for name in (kv_type, keys, values) if name is not None}
    if len(named) > 1:
        raise ConfigError(
            f"--kv-type, --cache-type-k and --cache-type-v name {' and '.join(sorted(named))}: "
            "keys and values are stored alike here, name one type."
        )
    return next(iter(named), None)


def lora_of(plain: list[str] | None, scaled: list[str] | None) -> tuple[str, ...] | None:
    """Both ways to name adapters as FILE=SCALE; raises ConfigError for one without a scale."""
    return (*(plain or ()), *(_rescaled(text) for text in scaled or ())) or None


def _rescaled(text: str) -> str:
    file, colon, scale = text.rpartition(":")
    if not colon or not file:
        raise ConfigError(f"--lora-scaled {text}: write FILE:SCALE, such as tuned.gguf:0.5.")
    return f"{file}={scale}"
