"""Which web pages may use this server."""

from __future__ import annotations

import httpx
import pytest

from edge_agent.server.services import Door, Services
from tests.server.conftest import Serving
from tests.server.fakes import FakeAgent, FakeChat

BODY = {"messages": [{"role": "user", "content": "Hi"}]}
CHAT = "/v1/chat/completions"
ALLOW = "access-control-allow-origin"


def behind(origins: tuple[str, ...], own_names_only: bool = False) -> Services:
    return Services(FakeChat(), FakeAgent(), door=Door(origins, own_names_only=own_names_only))


def preflight(url: str, origin: str) -> httpx.Response:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    return httpx.options(url + CHAT, headers=asked)


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        (("localhost",), "http://localhost", True),
        (("localhost",), "http://localhost:8080", True),
        (("localhost",), "https://127.0.0.1:3000", True),
        (("localhost",), "http://[::1]:3000", True),
        (("localhost",), "http://app.localhost", True),
        (("localhost",), "http://localhost.evil.example", False),
        (("localhost",), "http://notlocalhost", False),
        (("localhost",), "http://127.0.0.1.evil.example", False),
        (("localhost",), "http://192.168.1.5", False),
        (("localhost",), "null", False),
        (("localhost",), "http://[::1", False),
        (("*",), "https://web.example", True),
        (("*",), "null", True),
        (("https://web.example",), "https://web.example", True),
        (("https://web.example",), "http://web.example", False),
        (("https://web.example",), "https://web.example.evil.example", False),
        (("https://web.example", "localhost"), "http://localhost:1", True),
    ],
)
def test_an_allowed_origin_is_reflected_and_no_other(
    serving: Serving, origins: tuple[str, ...], origin: str, allowed: bool
) -> None:
    url = serving(behind(origins))
    asked = preflight(url, origin)
    got = httpx.post(url + CHAT, json=BODY, headers={"Origin": origin})
    assert (asked.status_code, got.status_code) == (200, 200)
    for answer in (asked, got):
        assert answer.headers.get(ALLOW) == (origin if allowed else None)
        assert answer.headers["vary"] == "Origin"
        credentials = answer.headers.get("access-control-allow-credentials")
        assert credentials == ("true" if allowed else None)


def test_a_preflight_is_answered_as_llama_server_does(serving: Serving) -> None:
    answer = preflight(serving(behind(("*",))), "https://web.example")
    assert answer.headers["access-control-allow-methods"] == "GET, POST, DELETE, OPTIONS"
    assert answer.headers["access-control-allow-headers"] == "*"
    assert answer.content == b""


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ("authorization,content-type", "*, authorization, content-type"),
        ("x-api-key, x-b", "*, x-api-key, x-b"),
        ("bad name,\t,é", "*"),
    ],
)
def test_the_headers_that_a_browser_asks_for_are_named(
    serving: Serving, asked: str, named: str
) -> None:
    headers = [
        (b"origin", b"https://web.example"),
        (b"access-control-request-method", b"POST"),
        (b"access-control-request-headers", asked.encode("latin-1")),
    ]
    answer = httpx.options(serving(behind(("*",))) + CHAT, headers=headers)
    assert answer.headers["access-control-allow-headers"] == named


def test_a_preflight_needs_no_key_and_a_page_may_read_that_one_is_missing(
    serving: Serving,
) -> None:
    services = Services(FakeChat(), FakeAgent(), api_keys=("one",), door=Door(("*",)))
    url = serving(services)
    assert preflight(url, "https://web.example").status_code == 200
    refused = httpx.post(url + CHAT, json=BODY, headers={"Origin": "https://web.example"})
    assert (refused.status_code, refused.headers[ALLOW]) == (401, "https://web.example")


def test_who_is_no_page_gets_no_word_of_it(serving: Serving) -> None:
    answer = httpx.get(f"{serving(behind(('*',)))}/health")
    assert ALLOW not in answer.headers


@pytest.mark.parametrize(
    ("origins", "host", "status"),
    [
        (("localhost",), "localhost:8080", 200),
        (("localhost",), "127.0.0.1", 200),
        (("localhost",), "[::1]:8080", 200),
        (("localhost",), "192.168.1.5:8080", 200),
        (("localhost",), "rebound.evil.example:8080", 403),
        (("localhost",), "localhost.evil.example", 403),
        (("https://my.example",), "my.example", 200),
        (("*",), "rebound.evil.example", 200),
    ],
)
def test_a_name_that_another_site_could_have_is_not_answered(
    serving: Serving, origins: tuple[str, ...], host: str, status: int
) -> None:
    url = serving(behind(origins, own_names_only=True))
    answer = httpx.get(f"{url}/v1/models", headers={"Host": host})
    assert answer.status_code == status
    if status == 403:
        assert host in answer.json()["error"]["message"]


def test_names_are_not_looked_at_where_others_may_come_in(serving: Serving) -> None:
    url = serving(behind(("localhost",)))
    assert httpx.get(f"{url}/health", headers={"Host": "box.example"}).status_code == 200
