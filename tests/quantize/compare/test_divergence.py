from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from edge_agent.errors import RequestError
from quantize.compare.divergence import (
    diverge,
    kl,
    log_softmax,
    passages_of,
    predictions,
    record,
)
from quantize.context import Opening, opened
from quantize.convert.convert import convert


def quiet(done: int, total: int) -> None:
    """Nobody watches."""


def test_kl_is_the_definition() -> None:
    p, q = np.array([0.5, 0.25, 0.25]), np.array([0.25, 0.25, 0.5])
    wanted = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    rows = [np.log(x).astype(np.float32)[None] for x in (p, q)]
    assert kl(rows[0], rows[1])[0] == pytest.approx(wanted, rel=1e-6)
    assert kl(rows[0], rows[0])[0] == 0


def test_log_softmax_adds_up_to_one_for_large_logits() -> None:
    found = log_softmax(np.array([[1000.0, 1001.0, 999.0]], np.float32))
    assert np.exp(found).sum() == pytest.approx(1.0)
    assert found[0, 1] == pytest.approx(-math.log(1 + math.exp(-1) + math.exp(-2)), abs=1e-6)


def test_the_second_half_of_each_chunk_is_predicted_from_the_first(
    llama_checkpoint: Path, tmp_path: Path
) -> None:
    full = convert(llama_checkpoint, tmp_path / "full.gguf", "f32").path
    ids = [int(id) for id in np.random.default_rng(1).integers(0, 384, 300)]
    passages = passages_of(ids, 140, 9, None)
    assert [len(passage.ids) for passage in passages] == [140, 140]
    with opened(Opening(full, 256, 1, exact=True)) as model:
        pieces = [(p.copy(), came) for p, came in predictions(model, passages[1])]
        found = np.concatenate([probable for probable, _ in pieces])
        came = np.concatenate([came for _, came in pieces])
        assert list(came) == ids[210:280]
        model.forget()  # one token after another, the whole chunk
        alone = []
        for i, id in enumerate(passages[1].ids[:-1]):
            alone.append(log_softmax(model.read([id], i, 1)))
        assert np.allclose(found, np.concatenate(alone)[69:], atol=1e-3)


def test_a_model_does_not_diverge_from_itself(small_gguf: Path, tmp_path: Path) -> None:
    ids = [int(id) for id in np.random.default_rng(2).integers(0, 384, 128)]
    passages = passages_of(ids, 64, 2, None)
    with opened(Opening(small_gguf, 64, 1)) as model:
        first = record(model, passages, tmp_path / "p", quiet)
        found = diverge(model, passages, tmp_path / "p", quiet)
    assert found.perplexity == pytest.approx(first)
    assert (found.kl_max, found.top_agreement) == (0.0, 1.0)


def test_a_short_text_is_said() -> None:
    with pytest.raises(RequestError, match="3 tokens and one chunk has 64"):
        passages_of([1, 2, 3], 64, 4, None)


def test_a_beginning_mark_takes_the_first_place() -> None:
    assert passages_of([5, 6, 7, 8], 2, 9, 1)[1].ids == (1, 8)
