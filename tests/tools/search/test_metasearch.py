"""ddgs is asked for one engine and no other, and what it says is told as it is."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import trustme
from ddgs import DDGS
from ddgs.exceptions import DDGSException, RatelimitException, TimeoutException

from edge_agent.errors import ConfigError, SearchBusy, SearchError
from edge_agent.tools.base import SearchHit
from edge_agent.tools.search.metasearch import DEFAULT_ENGINES, DdgsSearch
from tests.patience import HANG_S

DUCKDUCKGO = """<html><body><div class="results">
<div class="links_main links_deep result__body"><h2><a href="https://l.example/{0}">Marrow
Light</a></h2><a href="https://l.example/{0}">A tower of <b>stone</b></a></div>
<div class="result__body"><h2><a href="https://duckduckgo.com/y.js?ad=1">Lamps cheap</a></h2>
<a href="https://duckduckgo.com/y.js?ad=1">An advertisement</a></div></div></body></html>"""
MOJEEK = """<html><body><ul class="results-standard"><li><h2><a href="https://m.example/{0}">Light
</a></h2><p class="s">Seen from the sea</p></li></ul></body></html>"""


class Proxy:
    """An HTTP proxy that leads every host to one TLS server, which is the engines' web pages."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.trust = str(folder / "authority.pem")
        authority.cert_pem.write_to_path(self.trust)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        names = ("html.duckduckgo.com", "www.mojeek.com")
        authority.issue_cert(*names).configure_cert(self._context)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._tunnel, args=(connection,), daemon=True).start()

    def _tunnel(self, connection: socket.socket) -> None:
        with connection:
            host = _head(connection).split()[1].partition(":")[0]
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with self._context.wrap_socket(connection, server_side=True) as inside:
                self._answer(inside, host)

    def _answer(self, inside: ssl.SSLSocket, host: str) -> None:
        request = _head(inside)
        head, _, body = request.partition("\r\n\r\n")
        lengths = [row for row in head.lower().splitlines() if row.startswith("content-length")]
        while lengths and len(body) < int(lengths[0].split(":")[1]):
            body += inside.recv(4096).decode()
        query = parse_qs(body or head.split()[1].partition("?")[2])["q"][0]
        self.asked.append(f"{head.split()[0]} {host} {query}")
        page = (DUCKDUCKGO if "duckduckgo" in host else MOJEEK).format(query)
        status = "202 Accepted" if query == "refused" else "200 OK"
        data = page.encode()
        inside.sendall(
            f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {len(data)}\r\n"
            "Connection: close\r\n\r\n".encode()
            + data
        )


def _head(connection: socket.socket) -> str:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(4096)
    return data.decode()


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    with Proxy(tmp_path) as proxy:
        yield proxy


def through(proxy: Proxy, engine: str) -> DdgsSearch:
    return DdgsSearch(engine, lambda: DDGS(proxy=proxy.url, timeout=60, verify=proxy.trust))


async def test_the_real_ddgs_asks_the_engine_that_was_named(proxy: Proxy) -> None:
    assert await through(proxy, "duckduckgo").search("marrow", 5) == [
        SearchHit("https://l.example/marrow", "Marrow Light", "A tower of stone", "ddgs/duckduckgo")
    ]
    hits = await through(proxy, "mojeek").search("marrow", 5)
    assert [(hit.url, hit.source) for hit in hits] == [("https://m.example/marrow", "ddgs/mojeek")]
    assert proxy.asked == ["POST html.duckduckgo.com marrow", "GET www.mojeek.com marrow"]


async def test_a_refusal_dressed_as_a_page_is_no_empty_result(proxy: Proxy) -> None:
    with pytest.raises(SearchError, match="also does when it refuses"):
        await through(proxy, "duckduckgo").search("refused", 5)


async def test_the_real_ddgs_without_a_network_is_a_sentence() -> None:
    nowhere = "http://127.0.0.1:9"  # a proxy that does not exist: nothing leaves this machine
    engine = DdgsSearch("duckduckgo", lambda: DDGS(proxy=nowhere, timeout=2))
    with pytest.raises(SearchError, match=r"^Duckduckgo .*\.$"):
        await engine.search("lighthouse", 3)


class FakeDDGS:
    """ddgs with one answer: rows, or an error to raise."""

    def __init__(self, answer: list[dict[str, Any]] | Exception) -> None:
        self._answer = answer
        self.answers = threading.Event()
        self.answers.set()
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def text(self, query: str, **kwargs: Any) -> list[dict[str, Any]]:
        self.asked.append((query, kwargs))
        assert self.answers.wait(HANG_S)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


async def test_rows_without_an_address_are_left_out() -> None:
    client = FakeDDGS([{"title": "T", "href": "https://a.example", "body": "B\nb"}, {"title": "x"}])
    hits = await DdgsSearch(client=lambda: client).search("light", 7)
    assert hits == [SearchHit("https://a.example", "T", "B b", "ddgs/duckduckgo")]
    assert client.asked == [("light", {"max_results": 7, "backend": "duckduckgo"})]


@pytest.mark.parametrize(
    ("error", "kind", "transient", "sentence"),
    [
        (RatelimitException("202"), SearchBusy, False, "refuses more queries"),
        (TimeoutException("timed out"), SearchError, True, "in time"),
        (DDGSException("No results found."), SearchError, False, "gave no results"),
        (DDGSException("ConnectError: no route"), SearchError, True, "could not be asked: Connect"),
    ],
)
async def test_its_failures_are_sentences(
    error: Exception, kind: type[SearchError], transient: bool, sentence: str
) -> None:
    with pytest.raises(kind, match=sentence) as told:
        await DdgsSearch(client=lambda: FakeDDGS(error)).search("x", 3)
    assert told.value.transient == transient


async def test_one_that_hangs_is_left() -> None:
    client = FakeDDGS([])
    client.answers.clear()
    with pytest.raises(SearchError, match="in time"):
        await DdgsSearch(client=lambda: client, timeout_s=0.1).search("x", 3)
    client.answers.set()


def test_an_engine_that_ddgs_does_not_have_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"has no engine 'altavista': it has .*duckduckgo"):
        DdgsSearch("altavista")
    assert all(DdgsSearch(engine).name == f"ddgs/{engine}" for engine in DEFAULT_ENGINES)
