"""How the server says it was started."""

from __future__ import annotations

import httpx

from edge_agent.engine.params import SamplingParams
from edge_agent.server.services import Defaults, Services
from tests.server.conftest import Serving
from tests.server.device.fakes import FakeDevice
from tests.server.fakes import FakeAgent, FakeChat


def test_the_defaults_and_the_facts_are_told_in_llama_servers_words(serving: Serving) -> None:
    defaults = Defaults(SamplingParams(temperature=0.5, seed=42), 64)
    url = serving(Services(FakeChat(), FakeAgent(), defaults=defaults, device=FakeDevice()))
    told = httpx.get(f"{url}/props").json()
    settings = told["default_generation_settings"]
    params = settings["params"]
    assert (params["seed"], params["temperature"], params["n_predict"]) == (42, 0.5, 64)
    assert (settings["n_ctx"], settings["speculative"]) == (FakeChat().n_ctx, True)
    assert (told["total_slots"], told["model_path"]) == (2, "models/fake.gguf")
    assert (told["model_alias"], told["is_sleeping"]) == ("fake-1b", False)
    assert (told["endpoint_slots"], told["endpoint_metrics"]) == (False, False)


def test_no_seed_is_llama_servers_number_for_any(serving: Serving) -> None:
    url = serving(Services(FakeChat(), FakeAgent()))
    params = httpx.get(f"{url}/props").json()["default_generation_settings"]["params"]
    assert (params["seed"], params["n_predict"]) == (2**32 - 1, -1)


def test_properties_are_not_changed(serving: Serving) -> None:
    answer = httpx.post(f"{serving(Services(FakeChat(), FakeAgent()))}/props", json={})
    assert (answer.status_code, answer.json()["error"]["type"]) == (501, "not_supported_error")
