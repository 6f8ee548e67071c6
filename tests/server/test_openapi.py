"""No request is answered as the document of the API does not say.

`make test-openapi` tries thousands of requests, `make test` a few hundred.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings

from edge_agent.server.app import create_app
from edge_agent.server.errors import UNEXPECTED
from edge_agent.server.services import Services
from tests.server.conftest import running
from tests.server.fakes import FakeAgent, FakeChat
from tests.server.house import house

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis needs Python 3.11")

EXAMPLES = int(os.environ.get("EDGE_AGENT_OPENAPI_EXAMPLES", "200"))
THOROUGH = 1000
LONGEST_S = 60.0  # the longest answer of these fakes takes 3 s
KEPT = ({}, {"background": True}, {"background": True})
DOCUMENT: dict[str, Any] = create_app(Services(FakeChat(), FakeAgent())).openapi()
OPERATIONS = [
    (method.upper(), path, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
]
API = schemathesis.openapi.from_dict(DOCUMENT)
# every bound of every field, one after the other: thousands of requests
API.config.phases.coverage.enabled = EXAMPLES >= THOROUGH
EACH = max(3, -(-EXAMPLES // len(OPERATIONS)))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with house(tmp_path_factory.mktemp("house")) as services, running(services) as at:
        yield at


class Known:
    """Ids of what the server has; every other request that names something names one of them."""

    def __init__(self, url: str) -> None:
        asked = {"/agent/run": {"task": "Who?"}, "/v1/responses": {"input": "Who?"}}
        bodies = [(path, {**body, **more}) for path, body in asked.items() for more in KEPT]
        made = [httpx.post(url + path, json=body, timeout=LONGEST_S) for path, body in bodies]
        self._ids = [answer.json()["id"] for answer in made]
        self._turn = 0

    def aim(self, case: Any) -> None:
        """Put an id in the place of what was drawn, or leave it."""
        self._turn += 1
        if "{id}" in case.path and "slots" not in case.path and self._turn % 2:
            prefix = "run_" if "runs" in case.path else "resp_"
            fitting = [id for id in self._ids if id.startswith(prefix)]
            case.path_parameters["id"] = fitting[self._turn // 2 % len(fitting)]


@pytest.fixture(scope="module")
def known(url: str) -> Known:
    return Known(url)


@pytest.fixture(scope="module")
def tried() -> Iterator[list[int]]:
    """The statuses of all that was answered; told at the end."""
    statuses: list[int] = []
    yield statuses
    counts = {status: statuses.count(status) for status in sorted(set(statuses))}
    print(f"\n{len(statuses)} requests to {len(OPERATIONS)} routes: {counts}")


@schemathesis.check
def nothing_unexpected(ctx: Any, response: Any, case: Any) -> None:
    assert UNEXPECTED not in response.text, "something went wrong inside the server"


CHECKS = [
    schemathesis.checks.status_code_conformance,
    schemathesis.checks.content_type_conformance,
    schemathesis.checks.response_schema_conformance,
    nothing_unexpected,
]


@API.parametrize()
@settings(
    max_examples=EACH,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_is_answered_as_the_document_does_not_say(
    case: Any, url: str, known: Known, tried: list[int]
) -> None:
    known.aim(case)
    answer = case.call(base_url=url, timeout=LONGEST_S)
    tried.append(answer.status_code)
    case.validate_response(answer, checks=CHECKS)
