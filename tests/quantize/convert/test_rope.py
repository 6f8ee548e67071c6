from __future__ import annotations

import math

import pytest

from quantize.convert.rope import llama3_factors


def test_llama3_slows_long_waves_only() -> None:
    """Against the definition of Llama 3.1's release, one frequency at a time."""
    rope = {
        "rope_theta": 500_000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    found = llama3_factors(rope, 128)
    assert found.shape == (64,)
    for i, factor in enumerate(found):
        freq = 500_000.0 ** (-2 * i / 128)
        wave = 2 * math.pi / freq
        if wave < 8192 / 4:
            wanted = 1.0
        elif wave > 8192:
            wanted = 8.0
        else:
            smooth = (8192 / wave - 1) / 3
            slowed = (1 - smooth) * freq / 8 + smooth * freq
            wanted = freq / slowed
        assert factor == pytest.approx(wanted, rel=1e-4)
