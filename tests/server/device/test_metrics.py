"""What was computed, as Prometheus reads it."""

from __future__ import annotations

import httpx
import pytest

from edge_agent.engine.counts import Counts
from edge_agent.server.services import EngineHealth, Services
from tests.server.conftest import Serving
from tests.server.device.fakes import FakeDevice
from tests.server.fakes import FakeAgent, FakeChat

SOME = Counts(
    prompt_tokens=100,
    cached_tokens=20,
    prompt_s=2.0,
    predicted_tokens=30,
    predict_s=3.0,
    decodes=40,
    compute_s=2.5,
    busy=60,
    longest=77,
    requests=5,
    gauges={"running": 1, "waiting": 2, "cells": 512, "bytes_kept": 9},
)


def served(device: FakeDevice) -> Services:
    health = EngineHealth(restarts=3)
    return Services(
        FakeChat(), FakeAgent(), device=device, shows_metrics=True, health=lambda: health
    )


def scraped(url: str) -> dict[str, float]:
    answer = httpx.get(f"{url}/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    raw = dict(answer.headers.raw)  # in llama-server's case, which its own tests look for
    assert int(raw[b"Process-Start-Time-Unix"]) > 1_600_000_000
    lines = answer.text.splitlines()
    values = [line.split(" ") for line in lines if not line.startswith("#")]
    for name, _ in values:
        assert any(line.startswith(f"# HELP {name} ") for line in lines)
        assert sum(line.startswith(f"# TYPE {name} ") for line in lines) == 1
    return {name: float(value) for name, value in values}


def test_without_the_flag_there_are_none(serving: Serving) -> None:
    answer = httpx.get(f"{serving(Services(FakeChat(), FakeAgent()))}/metrics")
    assert (answer.status_code, answer.json()["error"]["type"]) == (501, "not_supported_error")


def test_a_model_elsewhere_is_asked_elsewhere(serving: Serving) -> None:
    url = serving(Services(FakeChat(), FakeAgent(), shows_metrics=True))
    answer = httpx.get(f"{url}/metrics")
    assert answer.status_code == 501 and "its own server" in answer.text


def test_counters_have_llama_servers_names_and_ours_stand_beside(serving: Serving) -> None:
    told = scraped(serving(served(FakeDevice(told=SOME))))
    assert told["llamacpp:prompt_tokens_total"] == 100
    assert told["llamacpp:prompt_tokens_cached_total"] == 20
    assert told["llamacpp:tokens_predicted_total"] == 30
    assert told["llamacpp:n_busy_slots_per_decode"] == pytest.approx(1.5)
    assert told["llamacpp:n_tokens_max"] == 77
    assert (told["llamacpp:requests_processing"], told["llamacpp:requests_deferred"]) == (1, 2)
    assert (told["edge_agent:requests_total"], told["edge_agent:engine_restarts_total"]) == (5, 3)
    assert (told["edge_agent:cells"], told["edge_agent:bytes_kept"]) == (512, 9)


def test_a_rate_is_of_the_time_since_the_last_look(serving: Serving) -> None:
    device = FakeDevice(told=SOME)
    url = serving(served(device))
    first = scraped(url)
    assert first["llamacpp:prompt_tokens_seconds"] == pytest.approx(50)
    assert first["llamacpp:predicted_tokens_seconds"] == pytest.approx(10)
    assert scraped(url)["llamacpp:predicted_tokens_seconds"] == 0
    device.told = SOME + Counts(predicted_tokens=8, predict_s=2.0)
    again = scraped(url)
    assert again["llamacpp:predicted_tokens_seconds"] == pytest.approx(4)
    assert again["llamacpp:prompt_tokens_seconds"] == 0
    assert again["llamacpp:tokens_predicted_total"] == 38


def test_numbers_are_whole_to_the_last_digit(serving: Serving) -> None:
    many = Counts(prompt_tokens=12_345_678_901, prompt_s=123456.789)
    told = scraped(serving(served(FakeDevice(told=many))))
    assert told["llamacpp:prompt_tokens_total"] == 12_345_678_901
    assert told["llamacpp:prompt_seconds_total"] == pytest.approx(123456.789, abs=1e-3)
