"""The page of a route: a command to paste, an example body, and the statuses it answers with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
BASE = "http://127.0.0.1:8080"  # where `edge-agent serve` listens unless told otherwise
JSON = "application/json"
EVENTS = "text/event-stream"
TEXT = "text/plain"

# Statuses of refusal by what a route does; the door refuses before any route is reached.
DOOR = frozenset({401, 403, 429})
BODY = frozenset({400, 408, 413, 415})
MODEL = frozenset({404, 501, 503})
OK: Mapping[int, str] = {200: "It was done."}


@dataclass(frozen=True, slots=True)
class Page:
    """What the document says of one route.

    command: what works when pasted into a shell. body: an example of the request's body, where it
    has one. answers: statuses of success, with their meaning. kinds: media types of success.
    shapes: what JSON of a success may be. refusals: statuses of errors. error: the schema of their
    bodies.
    """

    command: str
    body: Json | None = None
    answers: Mapping[int, str] = field(default_factory=lambda: OK)
    kinds: tuple[str, ...] = (JSON,)
    shapes: tuple[str, ...] = ("object",)
    refusals: frozenset[int] = DOOR
    error: str = "Error"

    def content(self) -> Json:
        """The `content` of a success."""
        # the schema of server-sent events is that of each: their forms are too many to tell here
        schemas: Json = {JSON: {"type": list(self.shapes)}, TEXT: {"type": "string"}, EVENTS: {}}
        return {kind: {"schema": schemas[kind]} for kind in self.kinds}


def get(path: str, *refusals: int, before: str = "", **more: Any) -> Page:
    """The page of a GET; `before` are lines of shell that make the ID in its path."""
    return Page(before + f"curl -s {BASE}{path}", refusals=DOOR.union(refusals), **more)


def post(path: str, body: Json | None, *refusals: int, before: str = "", **more: Any) -> Page:
    """The page of a POST."""
    taken = BODY if body is not None else frozenset()
    return Page(before + curl(path, body), body, refusals=DOOR.union(taken, refusals), **more)


def delete(path: str, *refusals: int, before: str = "") -> Page:
    """The page of a DELETE."""
    return Page(f"{before}curl -s {BASE}{path} -X DELETE", refusals=DOOR.union(refusals))


def curl(path: str, body: Json | None) -> str:
    """A POST as a line of shell."""
    return f"curl -s {BASE}{path} {'-X POST' if body is None else data(body)}"


def data(body: Json) -> str:
    """A body as an argument of curl."""
    return "-d '{}'".format(json.dumps(body, ensure_ascii=False).replace("'", r"'\''"))


def id_of(path: str, body: Json) -> str:
    """A line of shell that sets ID to the id of what a POST makes."""
    return reading("ID", f"{path} {data(body)}", '["id"]')


def reading(name: str, call: str, key: str) -> str:
    """A line of shell that sets a variable to a part of an answer."""
    code = f"import json, sys; print(json.load(sys.stdin){key})"
    return f"{name}=$(curl -s {BASE}{call} | python3 -c '{code}')\n"
