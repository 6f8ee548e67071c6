"""Bytes to a server and what comes back, with no client between that would not send them."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from tests.patience import HANG_S


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    at = httpx.URL(url)
    with socket.create_connection((at.host, at.port or 80), timeout=HANG_S) as connection:
        yield connection


def head(method: str, path: str, *lines: str) -> bytes:
    """The head of a request; the lines are further headers."""
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", "")).encode()


def post(path: str, body: Any, *lines: str) -> bytes:
    """A whole request."""
    data = json.dumps(body).encode()
    return head("POST", path, f"Content-Length: {len(data)}", *lines) + data


def rest(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    got = b""
    try:
        while piece := connection.recv(65536):
            got += piece
    except ConnectionResetError:
        pass
    return got


def asked(url: str, *requests: bytes) -> bytes:
    """What the server answers to these bytes, to the end of the connection."""
    with connected(url) as connection:
        connection.sendall(b"".join(requests))
        return rest(connection)
