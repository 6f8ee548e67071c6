"""What no honest client sends: headers that contradict each other, requests that never end."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from edge_agent.chat.messages import Text
from edge_agent.server.door.patience import Patience
from edge_agent.server.services import Door, Services
from tests.patience import HANG_S
from tests.server.conftest import Serving, eventually, running
from tests.server.door.raw import asked, connected, head, post, rest
from tests.server.fakes import FakeAgent, FakeChat, Forever

CHAT = "/v1/chat/completions"
BODY = {"messages": [{"role": "user", "content": "Hi"}]}
KEY, WRONG = "Authorization: Bearer one", "Authorization: Bearer nope"


def locked(*keys: str, **more: object) -> Services:
    return Services(FakeChat(), FakeAgent(), api_keys=keys or ("one",), **more)  # type: ignore[arg-type]


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", answer)]


@pytest.mark.parametrize(
    "lines",
    [
        (KEY, WRONG),
        (WRONG, KEY),
        (KEY, KEY),
        ("x-api-key: nope", "x-api-key: one"),
        (WRONG, "x-api-key: one"),
        ("Authorization: Bearer one nope",),
        ("Authorization: Bearer one,nope",),
        ("Authorization:Bearer\tone",),
        ("Proxy-Authorization: Bearer one",),
        ("x_api_key: one",),
        ("Cookie: key=one",),
    ],
)
def test_only_one_key_in_its_place_opens(serving: Serving, lines: tuple[str, ...]) -> None:
    answer = asked(serving(locked()), post(CHAT, BODY, "Connection: close", *lines))
    assert statuses(answer) == [401]


@pytest.mark.parametrize("query", ["api_key=one", "key=one", "authorization=Bearer%20one"])
def test_a_key_in_the_address_is_none(serving: Serving, query: str) -> None:
    assert httpx.post(f"{serving(locked())}{CHAT}?{query}", json=BODY).status_code == 401


@pytest.mark.parametrize("path", ["//health", "/health/", "/health/../props", "/v1/models/x", "/x"])
def test_no_spelling_of_a_public_path_opens_another(serving: Serving, path: str) -> None:
    assert statuses(asked(serving(locked()), head("GET", path, "Connection: close"))) == [401]


@pytest.mark.parametrize("key", ["à", "ключ", "k\u00a0", "\u0085k", "🔑"])
def test_a_key_may_have_any_letters(serving: Serving, key: str) -> None:
    url = serving(locked(key))
    for name, value in (
        (b"Authorization", b"Bearer " + key.encode()),
        (b"x-api-key", key.encode()),
    ):
        assert httpx.post(url + CHAT, json=BODY, headers=[(name, value)]).status_code == 200
        wrong = [(name, value[:-1])]
        assert httpx.post(url + CHAT, json=BODY, headers=wrong).status_code == 401


@pytest.mark.parametrize("keys", [("",), ("one", "")])
def test_an_empty_key_is_nobodys(serving: Serving, keys: tuple[str, ...]) -> None:
    url = serving(locked(*keys))
    for line in ("x-api-key:", "Authorization: Bearer", "Authorization: Bearer  "):
        assert statuses(asked(url, post(CHAT, BODY, "Connection: close", line))) == [401]


def test_each_request_of_a_pipeline_needs_its_own_key(serving: Serving) -> None:
    last = post(CHAT, BODY, KEY, "Connection: close")
    answer = asked(serving(locked()), post(CHAT, BODY, KEY), post(CHAT, BODY), last)
    assert statuses(answer) == [200, 401, 200]


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Content-Length: 5", "Content-Length: 7"),
        ("Content-Length: -1",),
        ("Content-Length: 1e3",),
        ("Content-Length: " + "9" * 30,),
        ("Transfer-Encoding: chunked, identity",),
        ("Content-Length : 5",),
    ],
)
def test_a_body_of_two_lengths_is_no_request(serving: Serving, lines: tuple[str, ...]) -> None:
    hidden = head("GET", "/props", KEY)
    told = statuses(asked(serving(locked()), head("POST", CHAT, KEY, *lines), hidden))
    assert told and told[0] >= 400 and 200 not in told


def test_without_keys_an_invented_one_is_no_place_of_its_own(serving: Serving) -> None:
    chat = FakeChat([Forever(Text("again "))])
    url = serving(Services(chat, FakeAgent(), door=Door(per_key=1)))
    with httpx.stream("POST", url + CHAT, json={**BODY, "stream": True}) as stream:
        lines = stream.iter_lines()  # who forgets the lines closes the stream
        next(lines)
        for headers in ({"x-api-key": "a"}, {"Authorization": "Bearer b"}):
            assert httpx.post(url + CHAT, json=BODY, headers=headers).status_code == 429


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"messages":' * 50_000, b"9" * 10_000, b"\xff"])
def test_json_that_is_none_is_told_so(serving: Serving, body: bytes) -> None:
    url = serving(Services(FakeChat(), FakeAgent()))
    assert httpx.post(url + CHAT, content=body).status_code == 400
    assert httpx.post(url + CHAT, json=BODY).status_code == 200


def test_a_body_that_does_not_come_is_not_waited_for(serving: Serving) -> None:
    chat = FakeChat()
    url = serving(Services(chat, FakeAgent(), body_s=0.05, door=Door(per_key=1)))
    with connected(url) as connection:
        connection.sendall(head("POST", CHAT, "Content-Length: 1000", "Connection: close") + b"{")
        assert statuses(rest(connection)) == [408]
        assert not chat.requests
    assert eventually(lambda: httpx.post(url + CHAT, json=BODY).status_code == 200, HANG_S)


def test_a_body_that_comes_a_byte_at_a_time_is_not_waited_for(serving: Serving) -> None:
    url = serving(Services(FakeChat(), FakeAgent(), body_s=0.2))
    with connected(url) as connection, ExitStack() as stack:
        connection.sendall(head("POST", CHAT, "Transfer-Encoding: chunked", "Connection: close"))
        stack.enter_context(trickling(connection, b"1\r\n \r\n"))
        assert statuses(rest(connection)) == [408]


@contextmanager
def trickling(connection: socket.socket, piece: bytes) -> Iterator[None]:
    """The piece again and again, as long as somebody reads."""
    over = threading.Event()

    def send() -> None:
        while not over.wait(0.01):
            try:
                connection.sendall(piece)
            except OSError:
                return

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Impatient(Patience):
    """Two connections, and a fifth of a second for the head of a request."""

    head_s = 0.2
    most = 2


def test_who_says_nothing_is_shown_out() -> None:
    with running(locked(), Impatient) as url, connected(url) as connection:
        assert rest(connection) == b""
        assert httpx.get(f"{url}/health").status_code == 200


def test_a_head_that_comes_a_byte_at_a_time_is_not_waited_for() -> None:
    with running(locked(), Impatient) as url, connected(url) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\n")
        with trickling(connection, b"x: y\r\n"):
            assert rest(connection) == b""


def test_the_rest_of_a_body_that_was_refused_is_not_waited_for() -> None:
    with running(locked(), Impatient) as url, connected(url) as connection:
        connection.sendall(head("POST", CHAT, "Transfer-Encoding: chunked"))
        with trickling(connection, b"1\r\n \r\n"):
            assert statuses(rest(connection)) == [401]


def test_a_connection_too_many_is_not_taken_and_those_before_go_on() -> None:
    with running(locked(), Impatient) as url, httpx.Client() as client, connected(url):
        assert client.get(f"{url}/health").status_code == 200
        with connected(url) as third:
            assert rest(third) == b""
        assert client.get(f"{url}/health").status_code == 200


def test_a_request_that_takes_longer_than_its_head_may_is_answered() -> None:
    with running(locked(), Impatient) as url, httpx.Client(headers={"x-api-key": "one"}) as client:
        for _ in range(3):
            assert client.post(url + CHAT, json=BODY).status_code == 200
