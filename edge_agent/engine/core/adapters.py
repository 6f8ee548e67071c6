"""LoRA adapters: loaded beside a model, applied to every sequence of its context."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

from llama_cpp import llama_cpp as lib

from edge_agent.engine.params import Adapter
from edge_agent.errors import ModelLoadError

PREFIX = "failed to apply lora adapter: "  # of what llama.cpp logs before the reason


def load_adapters(
    model: Any, context: Any, adapters: Sequence[Adapter], last_error: Callable[[], str]
) -> None:
    """Apply the adapters to the context; llama.cpp frees them with the model.

    `last_error` tells what llama.cpp logged last. Raises ModelLoadError for a file that is no
    adapter, or one of another architecture or size.
    """
    if not adapters:
        return
    handles = [_load(model, adapter, last_error) for adapter in adapters]
    array = (lib.llama_adapter_lora_p_ctypes * len(handles))(*handles)
    scales = (ctypes.c_float * len(handles))(*(adapter.scale for adapter in adapters))
    if lib.llama_set_adapters_lora(context, array, len(handles), scales) != 0:
        names = ", ".join(adapter.path for adapter in adapters)
        raise ModelLoadError(f"The adapters {names} could not be applied: {last_error()}.")


def _load(model: Any, adapter: Adapter, last_error: Callable[[], str]) -> Any:
    handle = lib.llama_adapter_lora_init(model, adapter.path.encode())
    if not handle:
        why = last_error().rpartition(PREFIX)[2]
        raise ModelLoadError(
            f"{adapter.path} cannot be used as a LoRA adapter of this model: {why}. It must be a "
            "GGUF that was converted from an adapter trained on the same model."
        )
    return handle
