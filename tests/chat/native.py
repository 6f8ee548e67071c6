"""A real vocabulary through the C API, without the model's weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llama_cpp import llama_cpp as lib


@contextmanager
def opened_vocab(path: Path) -> Iterator[Any]:
    lib.llama_backend_init()
    params = lib.llama_model_default_params()
    params.vocab_only = True
    model = lib.llama_model_load_from_file(str(path).encode(), params)
    yield lib.llama_model_get_vocab(model)
    lib.llama_model_free(model)
