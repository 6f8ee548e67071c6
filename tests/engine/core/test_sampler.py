"""Every sampling setting against the number its definition gives, on logits made for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from llama_cpp import llama_cpp as lib

from edge_agent.engine.core.sampler import Sampler
from edge_agent.engine.params import SamplingParams

from ..native import opened_vocab

N_CTX = 512
N_VOCAB = 3000
SIX = {10: 0.4, 11: 0.3, 12: 0.15, 13: 0.1, 14: 0.04, 15: 0.01}  # token -> probability
Logits: TypeAlias = Mapping[int, float]
Make: TypeAlias = Callable[..., Sampler]


@pytest.fixture(scope="module")
def vocab(smollm2_path: Path) -> Iterator[Any]:
    with opened_vocab(smollm2_path) as handle:
        yield handle


@pytest.fixture
def sampler(vocab: Any) -> Iterator[Make]:
    made: list[Sampler] = []

    def make(seed: int = 1, **settings: Any) -> Sampler:
        made.append(Sampler(vocab, N_CTX, SamplingParams(**settings), seed))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def ids(vocab: Any) -> Callable[[str], list[int]]:
    def tokenize(text: str) -> list[int]:
        raw, room = text.encode(), (lib.llama_token * 64)()
        n = lib.llama_tokenize(vocab, raw, len(raw), room, len(room), False, False)
        return list(room[:n])

    return tokenize


def applied(sampler: Sampler, logits: Logits) -> tuple[int, dict[int, float]]:
    """What is drawn, and the logits of the tokens that were left to draw from."""
    row = np.full(N_VOCAB, -np.inf, np.float32)
    row[list(logits)] = list(logits.values())
    before = row.copy()
    left = sampler.left(row)
    token, _, _ = sampler.sample_told(row)
    assert (row == before).all()
    kept = dict(zip(left.ids.tolist(), left.logits.tolist(), strict=True))
    return token, {id: kept[id] for id in logits if id in kept}


def shaped(sampler: Sampler, logits: Logits) -> dict[int, float]:
    return applied(sampler, logits)[1]


def logits_of(probabilities: Mapping[int, float]) -> dict[int, float]:
    return {token: math.log(p) for token, p in probabilities.items()}


def zeros(tokens: Sequence[int]) -> dict[int, float]:
    return dict.fromkeys(tokens, 0.0)


def frequencies(sampler: Sampler, logits: Logits, n: int = 4000) -> dict[int, float]:
    drawn = [applied(sampler, logits)[0] for _ in range(n)]
    return {token: drawn.count(token) / n for token in set(drawn)}


def test_defaults_draw_from_the_raw_distribution(sampler: Make) -> None:
    seen = frequencies(sampler(), logits_of(SIX))
    assert seen == pytest.approx(SIX, abs=0.025)


def test_temperature_divides_the_logits(sampler: Make) -> None:
    for temperature in (0.5, 1.0, 4.0):
        odds = math.exp(-3.0 / temperature)
        seen = frequencies(sampler(temperature=temperature), {1: 1.0, 2: -2.0})
        assert seen.get(2, 0.0) == pytest.approx(odds / (1 + odds), abs=0.025)


def test_temperature_0_is_greedy_whatever_the_filters_and_the_seed(sampler: Make) -> None:
    for seed in range(5):
        greedy = sampler(seed, temperature=0, typical_p=0.2, top_p=0.9, min_p=0.1, top_k=40)
        assert applied(greedy, logits_of(SIX))[0] == 10


def test_a_temperature_too_small_for_32_bits_is_greedy(sampler: Make) -> None:
    assert applied(sampler(temperature=1e-45), {1: 1.0, 2: 3.0, 3: 2.0})[0] == 2


def test_top_k_keeps_the_k_likeliest(sampler: Make) -> None:
    assert set(shaped(sampler(top_k=3), logits_of(SIX))) == {10, 11, 12}
    assert set(shaped(sampler(top_k=0), logits_of(SIX))) == set(SIX)


def test_top_p_keeps_the_fewest_likeliest_that_reach_p(sampler: Make) -> None:
    assert set(shaped(sampler(top_p=0.69), logits_of(SIX))) == {10, 11}
    assert set(shaped(sampler(top_p=0.71), logits_of(SIX))) == {10, 11, 12}
    assert set(shaped(sampler(top_p=0.0), logits_of(SIX))) == {10}


def test_min_p_keeps_what_has_this_share_of_the_likeliest(sampler: Make) -> None:
    assert set(shaped(sampler(min_p=0.24), logits_of(SIX))) == {10, 11, 12, 13}
    assert set(shaped(sampler(min_p=0.26), logits_of(SIX))) == {10, 11, 12}


def test_typical_p_keeps_the_most_typical_until_p_is_reached(sampler: Make) -> None:
    # entropy 1.424; surprises .92 1.20 1.90 2.30 3.22 4.61: the distances order 11 12 10 13 14 15
    entropy = -sum(p * math.log(p) for p in SIX.values())
    order = sorted(SIX, key=lambda t: abs(-math.log(SIX[t]) - entropy))
    assert order[:3] == [11, 12, 10]
    assert set(shaped(sampler(typical_p=0.4), logits_of(SIX))) == {11, 12}
    assert set(shaped(sampler(typical_p=0.5), logits_of(SIX))) == {11, 12, 10}
    assert set(shaped(sampler(typical_p=0.2), logits_of(SIX))) == {11}


def test_filters_see_the_probabilities_before_the_temperature(sampler: Make) -> None:
    hot = sampler(min_p=0.26, temperature=10.0)
    assert set(shaped(hot, logits_of(SIX))) == {10, 11, 12}


def test_filters_see_the_penalised_logits(sampler: Make) -> None:
    one = sampler(top_k=1, presence_penalty=5.0)
    one.accept(10)
    assert set(shaped(one, logits_of(SIX))) == {11}


def test_presence_and_frequency_are_subtracted(sampler: Make) -> None:
    one = sampler(presence_penalty=0.5, frequency_penalty=0.25)
    one.remember([1, 2, 1, 1])
    assert shaped(one, zeros([1, 2, 3])) == {1: -1.25, 2: -0.75, 3: 0.0}


def test_repeat_penalty_divides_what_is_likely_and_multiplies_what_is_not(sampler: Make) -> None:
    one = sampler(repeat_penalty=2.0)
    one.remember([1, 2, 2])
    assert shaped(one, {1: 3.0, 2: -3.0, 3: 3.0}) == {1: 1.5, 2: -6.0, 3: 3.0}


def test_penalties_look_back_on_last_n_tokens(sampler: Make) -> None:
    near, none, window = (
        sampler(presence_penalty=1.0, penalty_last_n=last_n) for last_n in (2, 0, -1)
    )
    for one in (near, none, window):
        one.remember([1, 2, 3])
    assert shaped(near, zeros([1, 2, 3])) == {1: 0.0, 2: -1.0, 3: -1.0}
    assert shaped(none, zeros([1, 2, 3])) == zeros([1, 2, 3])
    assert shaped(window, zeros([1, 2, 3])) == {1: -1.0, 2: -1.0, 3: -1.0}
    assert (near.lookback, none.lookback, window.lookback) == (2, 0, N_CTX)


def test_a_huge_last_n_allocates_no_more_than_the_window(sampler: Make) -> None:
    assert sampler(repeat_penalty=1.1, penalty_last_n=2**31 - 1).lookback == N_CTX
    assert sampler(dry_multiplier=1.0, dry_penalty_last_n=2**31 - 1).lookback == N_CTX


def test_without_penalties_nothing_is_remembered(sampler: Make) -> None:
    one = sampler(top_k=5)
    one.remember(range(10**6))
    assert one.lookback == 0


@pytest.mark.parametrize("length", [3, 5, 9])
@pytest.mark.parametrize("base", [1.5, 1.75])
def test_dry_costs_multiplier_times_base_to_what_is_over_the_allowed_length(
    sampler: Make, length: int, base: float
) -> None:
    run = list(range(1000, 1000 + length))
    one = sampler(dry_multiplier=0.8, dry_base=base, dry_allowed_length=2, dry_breakers=())
    one.remember([*run, 2000, *run])
    penalty = 0.8 * base ** (length - 2)
    told = shaped(one, zeros([2000, 2001, run[0]]))
    assert told == pytest.approx({2000: -penalty, 2001: 0.0, run[0]: 0.0}, rel=1e-5)


def test_dry_lets_runs_of_less_than_the_allowed_length_pass(sampler: Make) -> None:
    run = [1000, 1001, 1002]
    for allowed, penalty in ((3, 1.0), (4, 0.0)):
        one = sampler(dry_multiplier=1.0, dry_allowed_length=allowed, dry_breakers=())
        one.remember([*run, 2000, *run])
        assert shaped(one, zeros([2000]))[2000] == pytest.approx(-penalty)


def test_dry_looks_back_on_last_n_tokens(sampler: Make) -> None:
    run = [1000, 1001, 1002]
    for last_n, penalty in ((7, 1.75), (6, 1.0), (5, 0.0), (0, 0.0), (-1, 1.75)):
        one = sampler(dry_multiplier=1.0, dry_penalty_last_n=last_n, dry_breakers=())
        one.remember([*run, 2000, *run])
        assert shaped(one, zeros([2000]))[2000] == pytest.approx(-penalty), last_n


def test_dry_at_multiplier_0_is_off(sampler: Make) -> None:
    one = sampler(dry_multiplier=0.0)
    assert one.lookback == 0


def test_a_breaker_ends_a_run(sampler: Make, ids: Callable[[str], list[int]], vocab: Any) -> None:
    before, mark, after = ids(" alpha beta gamma"), ids(";"), ids(" delta epsilon")
    assert len(mark) == 1
    said = [*before, *mark, *after]
    follower = 2000
    for breakers, length in (((), len(said)), ((";",), len(after)), (("#",), len(said))):
        one = sampler(dry_multiplier=1.0, dry_breakers=breakers, dry_base=1.25)
        one.remember([*said, follower, *said])
        expected = 1.25 ** (length - 2)
        assert shaped(one, zeros([follower]))[follower] == pytest.approx(-expected, rel=1e-5)


def test_logit_bias_adds_and_bans(sampler: Make) -> None:
    one = sampler(logit_bias=((1, 2.5), (2, -math.inf)))
    drawn, left = applied(one, zeros([1, 2, 3]))
    assert left[1] == 2.5 and left[2] == -math.inf and left[3] == 0.0
    assert 2 not in frequencies(one, zeros([1, 2, 3]), 200)
    assert drawn in (1, 3)


def test_biases_come_before_the_filters(sampler: Make) -> None:
    assert set(shaped(sampler(logit_bias=((15, 9.0),), top_k=1), logits_of(SIX))) == {15}


def test_same_seed_draws_the_same(sampler: Make) -> None:
    even = zeros(range(100))

    def drawn(seed: int) -> list[int]:
        one = sampler(seed, top_p=0.95)
        return [applied(one, even)[0] for _ in range(20)]

    assert drawn(7) == drawn(7)
    assert len({tuple(drawn(seed)) for seed in range(4)}) == 4


def test_a_mask_of_minus_infinity_is_never_drawn(sampler: Make) -> None:
    logits = dict(enumerate(np.where(np.arange(50) % 7 == 3, 0.0, -np.inf).tolist()))
    for settings in ({}, {"top_k": 40}, {"typical_p": 0.5}, {"min_p": 0.1}, {"top_p": 0.5}):
        seen = frequencies(sampler(temperature=2.0, **settings), logits, 200)
        assert all(token % 7 == 3 for token in seen), settings


@pytest.mark.parametrize(
    "settings", [{}, {"top_k": 5}, {"top_p": 0.9}, {"min_p": 0.1}, {"typical_p": 0.5}]
)
def test_where_everything_is_banned_a_draw_still_ends(
    sampler: Make, settings: dict[str, float]
) -> None:
    banned = np.full(N_VOCAB, -np.inf, np.float32)
    for temperature in (0.0, 0.8):
        one = sampler(temperature=temperature, **settings)
        assert 0 <= one.sample(banned) < N_VOCAB
        assert 0 <= one.sample_told(banned)[0] < N_VOCAB


@pytest.mark.parametrize(
    ("settings", "likeliest"),
    [
        ({"logit_bias": ((1, 1e308), (2, -1e308))}, 1),
        ({"presence_penalty": 1e308, "frequency_penalty": 1e308}, 3),
        ({"presence_penalty": -1e308, "frequency_penalty": -1e308}, 1),
        ({"repeat_penalty": 1e-300}, 1),
        ({"dry_multiplier": 1e308, "dry_base": 1e308, "dry_breakers": ()}, 2),
    ],
)
def test_the_largest_shifts_stay_finite(
    sampler: Make, settings: dict[str, Any], likeliest: int
) -> None:
    one = sampler(temperature=0.01, **settings)
    one.remember([1, 2, 1, 1, 2, 1])
    drawn, left = applied(one, {1: 1.0, 2: 0.9, 3: 0.5})
    assert drawn == likeliest
    assert all(map(math.isfinite, left.values()))
