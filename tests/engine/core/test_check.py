from __future__ import annotations

import math
from typing import Any

import pytest

from edge_agent.engine.core.check import check_request
from edge_agent.engine.params import GenerateParams, ModelInfo, SamplingParams, ThoughtLimit
from edge_agent.errors import ContextOverflow, RequestError

INFO = ModelInfo("m.gguf", "", 100, 100, 1000, 1, 1, "")
CLOSED = ThoughtLimit(5, (7,), (8, 9), (1, 2, 8, 9, 1))


def check(prompt: list[int] | None = None, n_parallel: int = 4, **params: Any) -> None:
    check_request(prompt or [1, 2], GenerateParams(**params), INFO, n_parallel)


def refusal(**params: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        check(**params)
    return caught.value


def test_defaults_and_every_feature_at_once_pass() -> None:
    check()
    check(n=4, n_logprobs=20, thought=CLOSED, speculate=True, pin=50, stop_ids=(0, 999), name="a")
    check(n_logprobs=0, thought=ThoughtLimit(None, (7,), (8,), (8,), begun=True))


def test_a_prompt_must_have_tokens_of_this_model_and_fit() -> None:
    with pytest.raises(RequestError, match="empty"):
        check_request([], GenerateParams(), INFO, 1)
    with pytest.raises(ContextOverflow, match=r"100 tokens .* holds 100"):
        check([1] * 100)
    assert "from 0 to 999" in str(refusal(prompt=[1, 1000]))
    assert refusal(prompt=[1.5]).param == "prompt"


def test_n_beyond_the_engines_sequences_is_refused_with_both_numbers() -> None:
    told = refusal(n=5, n_parallel=4)
    assert told.param == "n"
    assert "n is 5" in str(told) and "at most 4 sequences" in str(told)
    assert "--parallel 5" in str(told)
    assert refusal(n=0).param == refusal(n=-1).param == "n"


@pytest.mark.parametrize(
    ("field", "value", "param"),
    [
        ("max_tokens", -1, "max_tokens"),
        ("n_logprobs", 21, "top_logprobs"),
        ("n_logprobs", -1, "top_logprobs"),
        ("pin", -1, "pin"),
        ("stop_ids", (1000,), "stop_ids"),
        ("stop_ids", (-1,), "stop_ids"),
        ("thought", ThoughtLimit(-1, (7,), (8,), (8,)), "thinking_budget"),
        ("thought", ThoughtLimit(5, (7,), (8,), ()), "thinking_budget"),
        ("thought", ThoughtLimit(5, (7,), (8, 9), (9, 8)), "thinking_budget"),
        ("thought", ThoughtLimit(5, (7,), (), (1,)), "thinking_budget"),
        ("thought", ThoughtLimit(5, (), (8,), (8,)), "thinking_budget"),
        ("thought", ThoughtLimit(5, (1000,), (8,), (8,)), "thought"),
        ("thought", ThoughtLimit(5, (7,), (8,), (-1, 8)), "thought"),
    ],
)
def test_a_number_out_of_bounds_names_its_field(field: str, value: object, param: str) -> None:
    assert refusal(**{field: value}).param == param


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("top_p", math.nan),
        ("min_p", -math.inf),
        ("typical_p", math.nan),
        ("presence_penalty", math.inf),
        ("frequency_penalty", -math.inf),
        ("repeat_penalty", 0.0),
        ("repeat_penalty", -1.0),
        ("top_k", 2**31),
        ("penalty_last_n", 2**31),
        ("penalty_last_n", -2),
        ("dry_multiplier", math.nan),
        ("dry_multiplier", -0.1),
        ("dry_base", 0.99),
        ("dry_base", math.inf),
        ("dry_allowed_length", -1),
        ("dry_allowed_length", 2**31),
        ("dry_penalty_last_n", -2),
    ],
)
def test_a_setting_that_llama_cpp_would_misread_is_refused(field: str, value: float) -> None:
    told = refusal(sampling=SamplingParams(**{field: value}))
    assert told.param == field
    assert field in str(told)


@pytest.mark.parametrize("breakers", [("",), ("a\0b",), ("x" * 41,), ("é" * 21,), ("a",) * 17])
def test_breakers_that_would_be_cut_or_dropped_are_refused(breakers: tuple[str, ...]) -> None:
    told = refusal(sampling=SamplingParams(dry_breakers=breakers))
    assert told.param == "dry_sequence_breakers"


def test_breakers_may_be_none_or_many() -> None:
    for breakers in ((), ("é" * 20,), ("\n",) * 16):
        check(sampling=SamplingParams(dry_multiplier=1.0, dry_breakers=breakers))


def test_a_bias_may_ban_and_nothing_else_may_be_infinite() -> None:
    check(sampling=SamplingParams(logit_bias=((1, -math.inf), (2, 100.0))))
    for bias in (math.inf, math.nan):
        told = refusal(sampling=SamplingParams(logit_bias=((1, bias),)))
        assert told.param == "logit_bias"
    assert "from 0 to 999" in str(refusal(sampling=SamplingParams(logit_bias=((1000, 1.0),))))
