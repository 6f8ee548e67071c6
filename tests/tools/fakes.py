"""Stand-ins for the world: a badly behaved web server, engines, fetchers and hand-made PDFs."""

from __future__ import annotations

import gzip
import json
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from edge_agent.errors import FetchError, SearchError
from edge_agent.tools.base import Page, SearchHit

ARTICLE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>The Marrow Light</title></head><body><nav><a href="/">Home</a> <a href="/a">All</a></nav>
<main><h1>The Marrow Light</h1><p>The <b>Marrow Light</b> was lit on 4 May 1871 by Ilse Varn.</p>
<p>It stands on North Rock and has 132 steps.</p></main>
<footer><a href="/imprint">Imprint</a></footer></body></html>"""


@dataclass(frozen=True)
class Reply:
    """What the server sends; `headers` overrule the Content-Length that would be right."""

    body: bytes = b""
    content_type: str = "text/html; charset=utf-8"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


DAWDLED_S = 20.0  # of the slow pages: much longer than anybody waits for them

Answer = Callable[[BaseHTTPRequestHandler, dict[str, list[str]]], Reply | None]


class FaultyWeb:
    """A real HTTP server on loopback whose paths are faults; remembers the requests it got."""

    def __init__(self, routes: Mapping[str, Answer] | None = None) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                heads = {name.lower(): value for name, value in self.headers.items()}
                web.requests.append((self.path, heads))
                answer = (ROUTES if routes is None else routes).get(parts.path, missing)
                reply = answer(self, parse_qs(parts.query))
                if reply is not None:
                    send(self, reply)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 64

        self._server = Server(("127.0.0.1", 0), Handler)
        serve = self._server.serve_forever
        self._thread = threading.Thread(target=serve, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def __enter__(self) -> FaultyWeb:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def send(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    handler.send_response(reply.status)
    if reply.content_type:
        handler.send_header("Content-Type", reply.content_type)
    for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    try:
        handler.wfile.write(reply.body)
    except (BrokenPipeError, ConnectionResetError):
        return  # the client had enough, which is what these tests are about


def missing(handler: BaseHTTPRequestHandler, query: dict[str, list[str]]) -> Reply:
    return Reply(b"<h1>Not here</h1>", status=404)


def fixed(reply: Reply) -> Answer:
    return lambda handler, query: reply


def _redirect(handler: BaseHTTPRequestHandler, query: dict[str, list[str]]) -> Reply:
    raw = query["to"][0].encode("utf-8", "surrogatepass").decode("latin-1")  # as bytes on the wire
    return Reply(status=302, headers={"Location": raw})


def _chain(handler: BaseHTTPRequestHandler, query: dict[str, list[str]]) -> Reply:
    left = int(query["n"][0])
    return Reply(status=301, headers={"Location": f"/chain?n={left - 1}" if left else "/article"})


def _drip(handler: BaseHTTPRequestHandler, query: dict[str, list[str]]) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")
    handler.end_headers()
    for _ in range(int(DAWDLED_S / 0.05)):
        try:
            handler.wfile.write(b"<p>drop</p>")
            handler.wfile.flush()
        except OSError:
            return
        time.sleep(0.05)


def _stall(handler: BaseHTTPRequestHandler, query: dict[str, list[str]]) -> None:
    time.sleep(DAWDLED_S)


def _endless(handler: BaseHTTPRequestHandler, query: dict[str, list[str]]) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"x" * 65536)
    except OSError:
        return


def _cut(handler: BaseHTTPRequestHandler, query: dict[str, list[str]]) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "10000")
    handler.end_headers()
    handler.wfile.write(b"<p>only the beginning")
    handler.close_connection = True


def _searxng(handler: BaseHTTPRequestHandler, query: dict[str, list[str]]) -> Reply:
    asked = query["q"][0]
    answer: dict[str, Any] = {"query": asked, "results": [], "unresponsive_engines": []}
    if query.get("format") != ["json"]:
        return Reply(b"<html>a form</html>")
    if asked == "blocked":
        answer["unresponsive_engines"] = [["google", "CAPTCHA"], ["bing", "timeout"]]
    elif asked == "forbidden":
        return Reply(b"Forbidden", "text/plain", 403)
    elif asked == "odd":
        return Reply(b"[1, 2]", "application/json")
    elif asked == "broken":
        return Reply(b"<html>oops</html>")
    elif asked != "nothing":
        answer["results"] = [
            {
                "url": f"https://a.example/{n}",
                "title": f"{asked}\n {n}",
                "content": "A  snippet",
                "engine": "wiki",
                "publishedDate": None,
            }
            for n in range(12)
        ]
        answer["results"] += ["junk", {"title": "no url"}]
    return Reply(json.dumps(answer).encode(), "application/json")


def _raw_deflate(data: bytes) -> bytes:
    squeezer = zlib.compressobj(wbits=-15)
    return squeezer.compress(data) + squeezer.flush()


def _packed(body: bytes, encoding: str) -> Answer:
    return fixed(Reply(body, headers={"Content-Encoding": encoding}))


PAGE = ARTICLE.encode()
LATIN = "<html><head><title>Kafé</title></head><body><p>Café Angèle €</p></body></html>"
LONG = (
    "<html><body><main>"
    + "".join(
        f"<h2>Part {n}</h2><p>" + f"Sentence {n} of the long report stands here. " * 90 + "</p>"
        for n in range(8)
    )
    + "</main></body></html>"
)
LINKS = """<html><body><nav><a href="/home">Home</a></nav><main><p>See <a href="lamp#top">the
lamp</a>, <a href="https://isles.example/keeper?id=7">its keeper</a>, <a href="/lamp">again</a>,
<a href="mailto:a@b.example">a letter</a> and <a href="#note">a note</a>.</p></main></body>
</html>"""
ROUTES: dict[str, Answer] = {
    "/long": fixed(Reply(LONG.encode())),
    "/links": fixed(Reply(LINKS.encode())),
    "/article": fixed(Reply(PAGE)),
    "/redirect": _redirect,
    "/chain": _chain,
    "/nowhere": fixed(Reply(status=302)),
    "/drip": _drip,
    "/stall": _stall,
    "/endless": _endless,
    "/cut": _cut,
    "/announced": fixed(Reply(b"x", headers={"Content-Length": "99999999999"})),
    "/gzip": _packed(gzip.compress(PAGE[:200]) + gzip.compress(PAGE[200:]), "gzip"),
    "/zlib": _packed(zlib.compress(PAGE), "deflate"),
    "/deflate": _packed(_raw_deflate(PAGE), "deflate"),
    "/bomb": _packed(gzip.compress(b"\0" * 50_000_000), "gzip"),
    "/cutgzip": _packed(gzip.compress(PAGE * 50)[:-30], "gzip"),
    "/notgzip": _packed(b"this was never packed", "gzip"),
    "/brotli": _packed(b"\x0b\x02\x80abc\x03", "br"),
    "/binary": fixed(Reply(b"\x7fELF\0\0\0\x01" * 99, "application/octet-stream")),
    "/image": fixed(Reply(b"\x89PNG\r\n\x1a\n\0\0", "text/html")),
    "/empty": fixed(Reply(b"  \n")),
    "/plainhtml": fixed(Reply(PAGE, "text/plain")),
    "/untyped": fixed(Reply(PAGE, "")),
    "/busy": fixed(Reply(b"busy", status=503, headers={"Retry-After": "30"})),
    "/latin-as-utf8": fixed(Reply(LATIN.encode("cp1252"), "text/html; charset=utf-8")),
    "/utf8-as-latin": fixed(Reply(LATIN.encode(), "text/html; charset=iso-8859-1")),
    "/utf16": fixed(Reply(LATIN.encode("utf-16"), "text/html")),
    "/nonsense-charset": fixed(Reply(LATIN.encode("cp1252"), "text/html; charset=klingon")),
    "/script-only": fixed(Reply(b"<html><body><script>draw()</script></body></html>")),
    "/search": _searxng,
}


def public_then(*later: str) -> tuple[Callable[[str, int], Any], list[str]]:
    """A resolver that answers with a public address first and with `later` from then on."""
    asked: list[str] = []

    async def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["93.184.216.34"] if len(asked) == 1 else list(later)

    return resolver, asked


def names(**addresses: str) -> Callable[[str, int], Any]:
    """A resolver that knows a few names (`_` stands for a dot) and nothing else."""

    async def resolver(host: str, port: int) -> list[str]:
        found = addresses.get(host.replace(".", "_"))
        if found is None:
            raise OSError("unknown name")
        return found.split()

    return resolver


class FakeProvider:
    """A search engine with an answer for every query: hits, or the sentence of its failure."""

    def __init__(self, name: str, answer: list[SearchHit] | str) -> None:
        self._name = name
        self._answer = answer
        self.asked: list[str] = []

    @property
    def name(self) -> str:
        return self._name

    async def search(self, query: str, limit: int) -> list[SearchHit]:
        self.asked.append(query)
        if isinstance(self._answer, str):
            raise SearchError(self._answer)
        return self._answer


class FakeFetcher:
    """Pages by URL; any other URL fails."""

    def __init__(self, pages: Mapping[str, str]) -> None:
        self._pages = pages
        self.asked: list[str] = []

    async def fetch(self, url: str) -> Page:
        self.asked.append(url)
        if url not in self._pages:
            raise FetchError(f"{url} answered 404 (Not Found).", url, "status")
        return Page(url, "T", self._pages[url], "text/html", "web", "2024-05-01T10:00:00+00:00")

    async def holds(self, url: str) -> bool:
        return url in self._pages


def hit(url: str, source: str = "fake") -> SearchHit:
    return SearchHit(url, f"Title of {url}", "snippet", source)


def pdf(*pages: list[str], title: str = "") -> bytes:
    """A PDF whose pages show these lines in Helvetica; a page without lines is empty."""
    count = len(pages)
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(count))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {count} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for n, lines in enumerate(pages):
        shown = "".join(f"({line}) Tj T* " for line in lines)
        stream = zlib.compress(f"BT /F1 11 Tf 14 TL 50 740 Td {shown}ET".encode("cp1252"))
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {5 + 2 * n} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>".encode()
        )
        objects.append(
            b"<< /Length %d /Filter /FlateDecode >>\nstream\n%b\nendstream" % (len(stream), stream)
        )
    objects.append(f"<< /Title ({title}) >>".encode("cp1252"))
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return out + (
        b"xref\n0 %d\n0000000000 65535 f \n%btrailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\n"
        b"startxref\n%d\n%%%%EOF\n" % (size, table, size, size - 1, len(out))
    )
