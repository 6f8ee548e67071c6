"""The real encoder: likeness of meaning, independence from the batch, honest failures."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from edge_agent.errors import BadModelFile
from edge_agent.tools.embed import Embedder

TEXTS = [
    "The ferry leaves the harbour at dawn.",
    "At sunrise the boat sails from the port.",
    "The council raised the tax on property.",
    "Lighthouse",
    "",
    "word " * 2000,
]


@pytest.fixture(scope="module")
def embedder(embedder_dir: Path) -> Embedder:
    return Embedder(embedder_dir)


def test_sentences_of_one_meaning_are_closer_than_others(embedder: Embedder) -> None:
    ferry, boat, tax = embedder.encode(TEXTS[:3])
    assert ferry @ boat > 0.5 > ferry @ tax


def test_vectors_have_length_one_and_the_models_dimension(embedder: Embedder) -> None:
    vectors = embedder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), 384) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    assert embedder.encode([]).shape == (0, 384)


def test_a_text_has_the_same_vector_alone_and_in_a_batch(embedder: Embedder) -> None:
    many = [f"{text} {n}" for n in range(12) for text in TEXTS[:4]]
    together = embedder.encode(many)
    for index in (0, 9, 22, 47):
        alone = embedder.encode([many[index]])[0]
        assert alone @ together[index] > 0.95  # int8 activations are scaled per batch


def test_only_the_first_256_tokens_count(embedder: Embedder) -> None:
    beginning = "light " * 300
    same, other = embedder.encode([beginning, beginning + "taxes and budgets " * 50])
    assert same @ other > 0.999


def test_missing_and_damaged_files_are_sentences(tmp_path: Path, embedder_dir: Path) -> None:
    with pytest.raises(BadModelFile, match="no embedding model in"):
        Embedder(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"this is no model")
    shutil.copy(embedder_dir / "tokenizer.json", tmp_path)
    with pytest.raises(BadModelFile, match="pull it again"):
        Embedder(tmp_path).encode(["What is it?"])
