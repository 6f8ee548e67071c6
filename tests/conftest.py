"""Fixtures shared by all tests: real model files, pulled once through the catalog."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_agent.catalog.catalog import EMBEDDING_MODEL, Catalog
from edge_agent.catalog.pull import pull
from edge_agent.config import load_settings

SMOLLM2 = "smollm2-135m-instruct"
QWEN = "qwen2.5-coder-0.5b-instruct"


def _model(name: str) -> Path:
    models_dir = load_settings().models_dir
    return pull(Catalog.load(models_dir).get(name), models_dir)


@pytest.fixture(scope="session")
def smollm2_path() -> Path:
    """A real GGUF of 135M weights: fast, and rarely right."""
    return _model(SMOLLM2)


@pytest.fixture(scope="session")
def qwen_path() -> Path:
    """A real GGUF of 0.5B weights that calls tools."""
    return _model(QWEN)


@pytest.fixture(scope="session")
def agent_model_path() -> Path:
    """The model of the whole agent run; EDGE_AGENT_TEST_AGENT_MODEL names another card."""
    return _model(os.environ.get("EDGE_AGENT_TEST_AGENT_MODEL", QWEN))


@pytest.fixture(scope="session")
def embedder_dir() -> Path:
    """The folder with the embedding model (int8 ONNX) and its tokenizer.json."""
    return _model(EMBEDDING_MODEL)
