"""Search engines on the loopback address, each speaking its own protocol and as strict about it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "k-5ecret"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came. params: of the query, each once."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def as_json(value: Any, status: int = 200, **headers: str) -> Reply:
    more = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json", **more})


def brave(asked: Asked) -> Reply:
    """api.search.brave.com/res/v1/web/search"""
    if asked.method != "GET":
        return Reply(405)
    if asked.headers.get("x-subscription-token") != KEY:
        detail = {"code": "SUBSCRIPTION_TOKEN_INVALID", "detail": f"The token {KEY} is invalid."}
        return as_json({"type": "ErrorResponse", "error": detail}, 422)
    query, count = asked.params.get("q", ""), asked.params.get("count", "20")
    if not query or len(query) > 400 or len(query.split()) > 50 or not 1 <= int(count) <= 20:
        return as_json({"type": "ErrorResponse", "error": {"code": "VALIDATION"}}, 422)
    if query == "nothing":
        return as_json({"type": "search", "query": {"original": query}})
    rows = [
        {
            "title": f"Page {n} of <strong>{query}</strong>",
            "url": f"https://b.example/{n}",
            "description": "Salt &amp; <strong>light</strong>",
            "page_age": "2024-03-01T00:00:00",
        }
        for n in range(int(count))
    ]
    return as_json({"type": "search", "web": {"type": "search", "results": rows}})


def serper(asked: Asked) -> Reply:
    """google.serper.dev/search"""
    if asked.method != "POST":
        return as_json({"message": "Not Found."}, 404)
    if asked.headers.get("x-api-key") != KEY:
        return as_json({"message": "Unauthorized.", "statusCode": 403}, 403)
    body = json.loads(asked.body)
    rows = [
        {
            "title": f"{body['q']} {n}",
            "link": f"https://s.example/{n}",
            "snippet": "Seen from the sea",
            "date": "Mar 1, 2024",
            "position": n + 1,
        }
        for n in range(body["num"])
    ]
    parameters = {"q": body["q"], "type": "search", "engine": "google"}
    return as_json({"searchParameters": parameters, "organic": rows, "credits": 1})


def tavily(asked: Asked) -> Reply:
    """api.tavily.com/search"""
    if asked.method != "POST":
        return as_json({"detail": "Method Not Allowed"}, 405)
    if asked.headers.get("authorization") != f"Bearer {KEY}":
        error = {"error": "Unauthorized: missing or invalid API key."}
        return as_json({"detail": error}, 401)
    body = json.loads(asked.body)
    if len(body["query"]) > 400 or not 0 <= body["max_results"] <= 20:
        return as_json({"detail": {"error": "Bad request"}}, 400)
    if body["query"] == "spent":
        return as_json({"detail": {"error": "This request exceeds your plan's set limit."}}, 432)
    rows = [
        {
            "title": f"{body['query']} {n}",
            "url": f"https://t.example/{n}",
            "content": "The lamp was lit",
            "score": 0.9 - n / 100,
            "raw_content": None,
        }
        for n in range(body["max_results"])
    ]
    return as_json({"query": body["query"], "results": rows, "response_time": 0.9})


def wikipedia(asked: Asked) -> Reply:
    """en.wikipedia.org/w/api.php"""
    wanted = {"action": "query", "list": "search", "format": "json", "formatversion": "2"}
    if not wanted.items() <= asked.params.items():
        return Reply(200, b"<html>the API's help</html>", {"Content-Type": "text/html"})
    if not asked.headers.get("user-agent", "").startswith("edge-agent/"):
        return Reply(403, b"Please set a user-agent")
    query = asked.params["srsearch"]
    if len(query) > 300:
        error = {"code": "cirrussearch-query-too-long", "info": "Search request is longer than 300"}
        return as_json({"error": error})
    if query == "busy":
        error = {"code": "ratelimited", "info": "You've exceeded your rate limit."}
        return as_json({"error": error})
    rows = [
        {
            "ns": 0,
            "title": f"{query} (lighthouse) {n}",
            "pageid": n,
            "snippet": 'The <span class="searchmatch">light</span> &quot;of&quot; stone',
            "timestamp": "2024-01-01T00:00:00Z",
        }
        for n in range(int(asked.params["srlimit"]))
    ]
    found = {"searchinfo": {"totalhits": len(rows)}, "search": [] if query == "nothing" else rows}
    return as_json({"batchcomplete": True, "query": found})


ATOM = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
  <title type="html">ArXiv Query</title>
  <opensearch:totalResults xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">1
  </opensearch:totalResults>{}
</feed>"""
ENTRY = """
  <entry>
    <id>http://arxiv.org/abs/2401.0000{n}v2</id>
    <updated>2024-02-01T00:00:00Z</updated>
    <published>2024-01-01T00:00:00Z</published>
    <title>Lenses of
      lighthouses &amp; their light {n}</title>
    <summary>  We measure what {words} show.
    </summary>
    <author><name>Ilse Varn</name></author><author><name>B. Ott</name></author>
    <author><name>C. Ray</name></author><author><name>D. Sol</name></author>
    <link href="http://arxiv.org/abs/2401.0000{n}v2" rel="alternate" type="text/html"/>
  </entry>"""
MISTAKE = """
  <entry>
    <id>http://arxiv.org/api/errors#incorrect_id_format</id>
    <title>Error</title><summary>incorrect id format</summary>
  </entry>"""


def arxiv(asked: Asked) -> Reply:
    """export.arxiv.org/api/query"""
    query = asked.params.get("search_query", "")
    kind = {"Content-Type": "application/atom+xml"}
    if "mistake" in query:
        return Reply(400 if "400" in query else 200, ATOM.format(MISTAKE).encode(), kind)
    if "bomb" in query:
        bomb = (
            '<!DOCTYPE x [<!ENTITY a "aaaa">]><feed xmlns="http://www.w3.org/2005/Atom">&a;</feed>'
        )
        return Reply(200, bomb.encode(), kind)
    if "nothing" in query:
        return Reply(200, ATOM.format("").encode(), kind)
    if "often" in query:
        return Reply(200, b"Rate exceeded.", {"Content-Type": "text/plain"})
    words = ", ".join(part.removeprefix("all:") for part in query.split(" OR "))
    n_max = int(asked.params.get("max_results", "10"))
    entries = "".join(ENTRY.format(n=n, words=words) for n in range(n_max))
    return Reply(200, ATOM.format(entries).encode(), kind)


def searxng(asked: Asked) -> Reply:
    """/search of an instance whose settings allow JSON"""
    query = asked.params.get("q", "")
    if asked.params.get("format") != "json":
        return Reply(200, b"<html>a form</html>", {"Content-Type": "text/html"})
    answer: dict[str, Any] = {"query": query, "results": [], "unresponsive_engines": []}
    if query == "blocked":
        answer["unresponsive_engines"] = [["google", "CAPTCHA"], ["bing", "timeout"]]
    elif query == "forbidden":
        return Reply(403, b"<h1>Forbidden</h1>", {"Content-Type": "text/html"})
    elif query == "often":
        return Reply(429, b"Too Many Requests", {"Retry-After": "7"})
    elif query == "odd":
        return as_json([1, 2])
    elif query == "broken":
        return Reply(200, b"<html>oops</html>")
    elif query != "nothing":
        answer["results"] = [
            {
                "url": f"https://a.example/{n}",
                "title": f"{query}\n {n}",
                "content": "A  snippet",
                "engine": "wiki",
                "publishedDate": None,
            }
            for n in range(12)
        ]
        answer["results"] += ["junk", {"title": "no url"}]
    return as_json(answer)


def failing(status: int, **headers: str) -> Callable[[Asked], Reply]:
    """A server that answers everything with this status."""
    more = {name.replace("_", "-"): text for name, text in headers.items()}
    return lambda asked: Reply(status, b'{"message": "It hurts."}', more)


class Engine:
    """Serves one of the functions above at `url` while the block runs, and keeps what was asked."""

    def __init__(self, answer: Callable[[Asked], Reply]) -> None:
        self.asked: list[Asked] = []
        kept = self.asked

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                params = {name: values[0] for name, values in parse_qs(parts.query).items()}
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers.get("content-length", "0")))
                kept.append(Asked(self.command, parts.path, params, headers, body))
                reply = answer(kept[-1])
                self.send_response(reply.status)
                length = {"Content-Length": str(len(reply.body))}
                for name, value in {**length, **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)

            do_POST = do_GET  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:
                return

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

        self._server = Server(("127.0.0.1", 0), Handler)
        serve = self._server.serve_forever
        self._thread = threading.Thread(target=serve, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Engine:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
