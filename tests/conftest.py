"""What all tests share: real model files, pulled once through the catalog, and how examples are
drawn."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from hypothesis import HealthCheck, settings

from edge_agent.catalog.catalog import EMBEDDING_MODEL, Catalog
from edge_agent.catalog.pull import pull
from edge_agent.config import load_settings

# no clock and no chance: an example is neither late where another program has the core, nor another
# one each time. `pytest --hypothesis-profile=explore` draws new ones
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", UNHURRIED)
settings.register_profile("steady", UNHURRIED, derandomize=True, database=None)
settings.load_profile("steady")

SMOLLM2 = "smollm2-135m-instruct"
QWEN = "qwen2.5-coder-0.5b-instruct"
TRUSTED = "SSL_CERT_FILE"
OWN = os.environ.get(TRUSTED)  # what a person has set


@contextmanager
def trusting(file: str | None) -> Iterator[None]:
    """HTTP clients made in the block believe the authorities in this file; None: all there are."""
    before = os.environ.pop(TRUSTED, None)
    os.environ.update({TRUSTED: file} if file else {})
    try:
        yield
    finally:
        os.environ.pop(TRUSTED, None)
        os.environ.update({TRUSTED: before} if before else {})


@pytest.fixture(scope="session", autouse=True)
def one_authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """To read all authorities of this machine takes a client a tenth of a second, and a thousand
    clients are made here, which ask nobody but this machine."""
    file = tmp_path_factory.mktemp("trust") / "authority.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    with trusting(str(file)):
        yield


def _model(name: str) -> Path:
    models_dir = load_settings().models_dir
    with trusting(OWN):  # the one thing that may come from outside
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
