"""What the document of the API shows works when pasted, and nothing is left out."""

from __future__ import annotations

import html
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from edge_agent.server.app import create_app
from edge_agent.server.document.html import type_of
from edge_agent.server.document.page import BASE
from edge_agent.server.document.pages import PAGES
from edge_agent.server.document.refusals import WHY
from edge_agent.server.services import Services
from tests.server.conftest import running
from tests.server.fakes import FakeAgent, FakeChat
from tests.server.house import house

APP = create_app(Services(FakeChat(), FakeAgent()))
DOCUMENT: dict[str, Any] = APP.openapi()
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}
WITH_BODY = [name for name, operation in OPERATIONS.items() if "requestBody" in operation]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with house(tmp_path_factory.mktemp("house")) as services, running(services) as at:
        yield at


def command_of(name: str) -> str:
    """What a route's page shows for a shell."""
    _, _, rest = OPERATIONS[name]["description"].partition("```sh\n")
    return str(rest.partition("\n```")[0])


def test_every_route_has_a_page_and_every_page_a_route() -> None:
    assert set(OPERATIONS) == set(PAGES)


def test_what_is_not_in_the_document_is_another_path_of_what_is() -> None:
    included = [getattr(route, "original_router", None) for route in APP.routes]
    inner = [route for router in included if router for route in router.routes]
    routes = [route for route in (*APP.routes, *inner) if isinstance(route, APIRoute)]
    told = {route.endpoint for route in routes if route.include_in_schema}
    others = [r for r in routes if not r.include_in_schema and r.endpoint not in told]
    assert {route.path for route in others} == {"/docs", "/models"}
    assert len(told) == len(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_example_asks_its_own_route(name: str) -> None:
    method, path = name.split(" ")
    last = command_of(name).rpartition("curl ")[2]
    given, *flags = shlex.split(last.partition(BASE)[2])
    sent = "POST" if "-d" in flags else "GET"
    assert (flags[flags.index("-X") + 1] if "-X" in flags else sent) == method
    asked = re.sub(r"\{[a-z:]+\}", "[^/]+", path)
    assert re.fullmatch(asked, given.partition("?")[0]), f"{given} is not {path}"
    if "-d" in flags:
        (content,) = OPERATIONS[name]["requestBody"]["content"].values()
        assert json.loads(flags[flags.index("-d") + 1]) == content["example"]


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_example_works_when_pasted(name: str, url: str, tmp_path: Path) -> None:
    if not (shutil.which("bash") and shutil.which("curl")):
        pytest.skip("there is no bash or no curl to paste into")
    before, _, last = command_of(name).replace(BASE, url).rpartition("curl ")
    script = f"{before}curl -w '\\n%{{http_code}}' --max-time 60 {last}"
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    body, _, status = done.stdout.rpartition("\n")
    assert int(status) in (PAGES[name].answers or {501: "never"}), body


@pytest.mark.parametrize("name", WITH_BODY)
def test_the_body_of_every_example_is_accepted(name: str, url: str) -> None:
    (content,) = OPERATIONS[name]["requestBody"]["content"].values()
    path = name.partition(" ")[2]
    if "approvals" in path:
        path = path.replace("{id}", "ask_1")
    elif "{id}" in path:
        run = httpx.post(f"{url}/agent/run", json={"task": "Who?"}, timeout=60)
        path = path.replace("{id}", run.json()["id"])
    answer = httpx.post(url + path, json=content["example"], timeout=60)
    assert answer.is_success, answer.text


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_status_is_named_with_its_meaning(name: str) -> None:
    responses = OPERATIONS[name]["responses"]
    assert all(status.isdigit() and told["description"] for status, told in responses.items())
    assert {int(status) for status in responses} == {*PAGES[name].answers, *PAGES[name].refusals}
    assert PAGES[name].refusals <= set(WHY) and "422" not in responses


def test_the_page_for_people_shows_every_route_command_and_field(url: str) -> None:
    page = html.unescape(httpx.get(f"{url}/docs").text)
    for name in OPERATIONS:
        assert f"<code>{name}</code>" in page and command_of(name) in page
    for schema in DOCUMENT["components"]["schemas"].values():
        assert all(f"<code>{field}</code>" in page for field in schema.get("properties", ()))


def test_the_page_for_people_needs_nothing_from_elsewhere(url: str) -> None:
    page = httpx.get(f"{url}/docs").text
    assert "<script" not in page and "src=" not in page and 'href="http' not in page
    assert httpx.get(f"{url}/openapi.json").json() == DOCUMENT


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, "integer (at least 1, at most 9)"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string"),
        ({"type": "array", "items": {"enum": ["<", 1]}}, "list of <code>&quot;&lt;&quot;</code>"),
        ({"$ref": "#/components/schemas/Turn"}, '<a href="#Turn">Turn</a>'),
        ({"type": ["object", "array"]}, "object or array"),
        ({"const": "error"}, "<code>&quot;error&quot;</code>"),
        ({}, "anything"),
    ],
)
def test_a_schema_is_told_in_words(schema: dict[str, Any], words: str) -> None:
    assert type_of(schema).startswith(words)
