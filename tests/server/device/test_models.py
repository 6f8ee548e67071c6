"""What the server says of itself."""

from __future__ import annotations

from typing import Any

import httpx
import openai
import pytest

from edge_agent.server.services import EngineHealth, ServedModel, Services
from tests.server.conftest import Serving
from tests.server.fakes import FakeAgent, FakeChat

TINY = ServedModel(name="fake-1b", aliases=("tiny",), size=1000, n_ctx=4096)


def test_the_official_client_lists_the_models(serving: Serving) -> None:
    url = serving(Services(FakeChat(), FakeAgent(), models=[TINY]))
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0)
    model, agent = client.models.list().data
    assert agent.id == "agent"
    more: Any = model.model_dump()
    assert (model.id, more["aliases"]) == ("fake-1b", ["tiny"])
    assert more["meta"] == {"n_ctx": 4096, "size": 1000}
    assert client.models.retrieve("tiny").id == "fake-1b"
    with pytest.raises(openai.NotFoundError, match="there is fake-1b"):
        client.models.retrieve("gpt-9")


def test_what_a_model_can_do_is_listed_with_it(serving: Serving) -> None:
    able = ServedModel(
        name="fake-1b",
        aliases=("b",),
        also=("c",),
        size=None,
        n_ctx=4096,
        tags=("fast",),
        capabilities=("chat", "tools"),
        meta={"n_vocab": 7},
    )
    url = serving(Services(FakeChat(), FakeAgent(), models=[able]))
    (model,) = httpx.get(f"{url}/models").json()["data"]
    assert (model["tags"], model["capabilities"]) == (["fast"], ["chat", "tools"])
    assert (model["aliases"], model["meta"]["n_vocab"]) == (["b"], 7)
    assert httpx.get(f"{url}/v1/models/c").json()["id"] == "fake-1b"


def test_the_model_that_answers_is_always_listed(serving: Serving) -> None:
    url = serving(Services(FakeChat(), FakeAgent()))
    (model,) = httpx.get(f"{url}/models").json()["data"]
    assert (model["id"], model["meta"]["n_ctx"]) == ("fake-1b", 4096)


@pytest.mark.parametrize("path", ["/health", "/v1/health"])
@pytest.mark.parametrize(
    ("state", "status"), [("ok", 200), ("loading", 503), ("restarting", 503), ("failed", 503)]
)
def test_health_is_the_engines(serving: Serving, path: str, state: Any, status: int) -> None:
    health = EngineHealth(state, "", restarts=2)
    url = serving(Services(FakeChat(), FakeAgent(), health=lambda: health))
    answer = httpx.get(url + path)
    body = answer.json()
    assert (answer.status_code, body["status"], body["restarts"]) == (status, state, 2)
    assert ("error" in body) == (status == 503)


def test_the_root_names_routes_that_exist(serving: Serving) -> None:
    url = serving(Services(FakeChat(), FakeAgent()))
    root = httpx.get(url).json()
    assert root["model"] == "fake-1b"
    assert {"POST /v1/chat/completions", "GET /agent/runs/{id}", "GET /"} <= set(root["routes"])
    for route in root["routes"]:
        method, path = route.split()
        answer = httpx.request(method, url + path, content=b"{}" if method == "POST" else None)
        lacks = answer.status_code == 501  # as here
        is_route = not answer.text.startswith('{"error":{"code":404,"message":"There is no route')
        assert is_route and (answer.status_code in (200, 400, 404) or lacks)


def test_the_documentation_has_the_fields(serving: Serving) -> None:
    api = httpx.get(f"{serving(Services(FakeChat(), FakeAgent()))}/openapi.json").json()
    assert "temperature" in api["components"]["schemas"]["ChatBody"]["properties"]
    assert "422" not in api["paths"]["/v1/chat/completions"]["post"]["responses"]
