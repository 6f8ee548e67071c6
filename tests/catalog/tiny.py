"""Small real files for the catalog's tests: a GGUF of one tensor, cards, wheels, and a hub."""

from __future__ import annotations

import hashlib
import json
import struct
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from edge_agent.catalog.card import Card, ModelFile, PathSpec, Prepare, SourceSpec
from edge_agent.catalog.progress import Progress
from edge_agent.errors import CatalogError


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def pair(key: str, value: str | int | list[str]) -> bytes:
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if isinstance(value, int):
        return text(key) + struct.pack("<II", 4, value)
    items = b"".join(text(item) for item in value)
    return text(key) + struct.pack("<IIQ", 9, 8, len(value)) + items


def gguf_bytes(context: int = 4096, weights: int = 64, filler: int = 0) -> bytes:
    """A whole GGUF of version 3 with one F32 tensor; `filler` makes different ones."""
    pairs = [
        pair("general.architecture", "llama"),
        pair("general.name", f"tiny {filler}"),
        pair("llama.context_length", context),
        pair("llama.block_count", 2),
        pair("llama.embedding_length", 32),
        pair("llama.attention.head_count", 4),
        pair("llama.attention.head_count_kv", 2),
        pair("tokenizer.ggml.tokens", ["a", "b", "é"]),
    ]
    tensor = text("token_embd.weight") + struct.pack("<IQIQ", 1, weights, 0, 0)
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(pairs)) + b"".join(pairs) + tensor
    padding = b"\0" * (-len(head) % 32)
    return head + padding + bytes([filler % 256]) * (weights * 4)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def tiny_card(
    sources: Sequence[SourceSpec],
    name: str = "tiny",
    file: str = "tiny.gguf",
    data: bytes | None = None,
    rank: int = 10,
    memory_bytes: int = 1000,
    files: tuple[ModelFile, ...] | None = None,
    prepare: Prepare | None = None,
) -> Card:
    """A card for one file whose size and hash are those of `data`, where given."""
    known = ModelFile(file, len(data) if data else None, digest(data) if data else None)
    return Card(
        name=name,
        title=name.title(),
        kind="embedding" if prepare else "chat",
        licence="CC0-1.0",
        parameters=64,
        context_length=4096,
        default_context=4096,
        memory_bytes=memory_bytes,
        profile="plain",
        rank=rank,
        files=files or (known,),
        sources=tuple(sources),
        sampling={},
        prepare=prepare,
    )


def path_spec(directory: Path, *names: str) -> PathSpec:
    return PathSpec(directory, {name: name for name in names})


class FakeSource:
    """Writes given bytes, or raises; counts how often it was asked."""

    def __init__(
        self,
        files: Mapping[str, bytes],
        error: CatalogError | None = None,
        stated: str | None = None,
        label: str = "fake",
    ) -> None:
        self.files = files
        self.error = error
        self.stated = stated
        self.label = label
        self.asked = 0

    def fetch(self, folder: Path, progress: Progress) -> Mapping[str, str | None]:
        self.asked += 1
        for name, data in self.files.items():
            (folder / name).write_bytes(data)
        if self.error:
            raise self.error
        return dict.fromkeys(self.files, self.stated)


def write_wheel(folder: Path, name: str, version: str, members: Mapping[str, bytes]) -> Path:
    """A wheel that pip accepts; it holds a module that would leave a trace if it were run."""
    module = name.replace("-", "_")
    path = folder / f"{module}-{version}-py3-none-any.whl"
    info = f"{module}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{module}/__init__.py", "raise SystemExit('a wheel was run')\n")
        for member, data in members.items():
            wheel.writestr(member, data)
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        wheel.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: tiny\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(f"{info}/RECORD", "")
    return path


@dataclass
class Hub:
    """A server that speaks as much of the hub's protocol as a download needs.

    files: path in the repository to its bytes. cut_after: bytes of a body after which the line is
    cut, once per entry. ranges: whether Range is honoured. etags: overrides. cdn: host to redirect
    to. requests: (method, path, Range, Authorization) as they came.
    """

    files: dict[str, bytes]
    cut_after: list[int] = field(default_factory=list)
    ranges: bool = True
    etags: dict[str, str] = field(default_factory=dict)
    cdn: str = ""
    endpoint: str = ""
    requests: list[tuple[str, str, str, str]] = field(default_factory=list)

    def bodies(self) -> list[str]:
        """The Range headers of the GET requests for files, in order."""
        return [
            r for method, path, r, _ in self.requests if method == "GET" and "/api/" not in path
        ]


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """The hub on a loopback port; `hub.endpoint` says where."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(head=True)

        def do_GET(self) -> None:
            self._answer(head=False)

        def _answer(self, head: bool) -> None:
            path = unquote(urlsplit(self.path).path)
            span, token = self.headers.get("Range", ""), self.headers.get("Authorization", "")
            hub.requests.append((self.command, path, span, token))
            if path.startswith("/api/models/"):
                self._list(path)
                return
            name = path.rpartition("/resolve/main/")[2].rpartition("/cdn/")[2]
            if name not in hub.files:
                self.send_error(404)
                return
            self._file(name, head, span)

        def _list(self, path: str) -> None:
            rows = [
                {"type": "file", "path": name, "size": len(data), "oid": "0" * 40}
                for name, data in hub.files.items()
            ]
            siblings = [{"rfilename": name} for name in hub.files]
            told = (
                rows if "/tree/" in path else {"id": "o/r", "sha": "1" * 40, "siblings": siblings}
            )
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _file(self, name: str, head: bool, span: str) -> None:
            data = hub.files[name]
            start = int(span.removeprefix("bytes=").rstrip("-")) if span and hub.ranges else 0
            away = bool(hub.cdn) and head
            self.send_response(302 if away else 206 if start else 200)
            self.send_header("X-Repo-Commit", "1" * 40)
            self.send_header("ETag", f'"{hub.etags.get(name, digest(data))}"')
            self.send_header("X-Linked-Etag", f'"{hub.etags.get(name, digest(data))}"')
            self.send_header("X-Linked-Size", str(len(data)))
            if away:
                self.send_header("Location", f"{hub.cdn}/cdn/{name}")
                self.send_header("Content-Length", "0")
            else:
                self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            if not head:
                self._send(data[start:])

        def _send(self, data: bytes) -> None:
            if hub.cut_after:
                self.wfile.write(data[: hub.cut_after.pop(0)])
                self.close_connection = True
                return
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
