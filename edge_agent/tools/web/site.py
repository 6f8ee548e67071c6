"""A folder served over HTTP on the loopback address, for the demo and for tests."""

from __future__ import annotations

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from edge_agent.errors import LibraryError

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".htm": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".pdf": "application/pdf",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
}


class _Handler(SimpleHTTPRequestHandler):
    """Files only: no listings, nothing written to the terminal."""

    def guess_type(self, path: Any) -> str:
        return _TYPES.get(Path(path).suffix.lower(), "application/octet-stream")

    def list_directory(self, path: Any) -> None:
        self.send_error(404, "No listing")

    def log_message(self, format: str, *args: Any) -> None:
        """A line per request would drown what the demo shows."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64  # connections that wait to be accepted; the default of 5 drops some


class Site:
    """Serves `folder` at `url` on a free port of 127.0.0.1 while the `with` block runs."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise LibraryError(f"{folder} cannot be served: it is not a folder.")
        handler = functools.partial(_Handler, directory=str(folder))
        self._server = _Server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def host(self) -> str:
        """`127.0.0.1:PORT`, as `allow_hosts` takes it."""
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT/`"""
        return f"http://{self.host}/"

    def __enter__(self) -> Site:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
