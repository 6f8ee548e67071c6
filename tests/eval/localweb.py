"""A web of a few pages with a search service in SearXNG's JSON form, on the loopback address."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit

HARBOUR = {
    "Thrift (smack)": "The Thrift was a smack built by Ane Pollock in 1871 at Corrin yard.",
    "Ane Pollock": "Ane Pollock was a shipwright. She was born in Stennowe in 1840.",
    "Fish market": "The fish market of Stennowe sells herring on Mondays.",
}


@dataclass
class LocalWeb:
    """`url` of a server that is running; `asked` has the path of every request."""

    url: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def serving(pages: Mapping[str, str] = HARBOUR, search_status: int = 200) -> Iterator[LocalWeb]:
    """Serve pages by title until the block ends; a `search_status` but 200 breaks the search."""
    web = LocalWeb("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            web.asked.append(self.path)
            if url.path == "/search":
                self.answer(search_status, results(parse_qs(url.query)["q"][0]), "application/json")
            elif (title := unquote(url.path.removeprefix("/wiki/"))) in pages:
                self.answer(200, page(title, pages[title]), "text/html; charset=utf-8")
            else:
                self.answer(404, "none", "text/plain")

        def answer(self, status: int, body: str, kind: str) -> None:
            data = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    def results(query: str) -> str:
        words = {word.strip("?,.").lower() for word in query.split() if len(word) > 3}
        found = [t for t in pages if any(word in f"{t} {pages[t]}".lower() for word in words)]
        hits = [
            {"url": f"{web.url}/wiki/{quote(t)}", "title": t, "content": pages[t]} for t in found
        ]
        return json.dumps({"query": query, "results": hits, "unresponsive_engines": []})

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def page(title: str, text: str) -> str:
    return (
        f"<!DOCTYPE html><html><head><title>{title}</title></head><body><main><article>"
        f"<h1>{title}</h1><p>{text}</p></article></main></body></html>"
    )
