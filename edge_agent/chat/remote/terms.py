"""On what terms a server is spoken to: what it is, and what it has refused so far."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from edge_agent.chat.remote.faults import RefusedError

Kind: TypeAlias = Literal["edge-agent", "llama-server", "vllm", "sglang", "other"]

# `owned_by` in a server's list of models
OWNERS: Mapping[str, Kind] = {
    "edge-agent": "edge-agent",
    "llamacpp": "llama-server",
    "vllm": "vllm",
    "sglang": "sglang",
}
_UNKNOWN = re.compile(
    r"not (?:be )?(?:supported|permitted|allowed|implemented|available|recogni[sz]ed|a valid field)"
    r"|un(?:supported|recogni[sz]ed|known|expected)|no such field|extra|extra_forbidden"
    r"|(?:does not|doesn't|cannot) (?:support|accept|take)|requires? ",
    re.I,
)
_SCHEMA = re.compile(r"response_format|json_schema|json_object|structured|guided|schema", re.I)
_TOOLS = re.compile(r"\btools?\b|tool[_ -]?choice|tool[_-]call|--jinja|function.call", re.I)


@dataclass(frozen=True, slots=True)
class Terms:
    """schema: how a JSON Schema is sent: as one, as a wish for any JSON object, or in words.
    tools: in the field of that name, or described in words. named: a tool that must be called is
    named, or else it is the only one sent and a call is required. limit: the field for max_tokens.
    dropped: fields that are left out.
    """

    kind: Kind = "other"
    schema: Literal["json_schema", "json_object", "words"] = "json_schema"
    tools: Literal["field", "words"] = "field"
    named: bool = True
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    dropped: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Yielded:
    """The terms after a refusal, and one line that says what was given up."""

    terms: Terms
    line: str


def terms_for(kind: Kind) -> Terms:
    """The terms to begin with. llama-server takes a named tool for "auto", so none is named."""
    return Terms(kind, named=kind != "llama-server")


def yielded(terms: Terms, body: Mapping[str, Any], refusal: RefusedError) -> Yielded | None:
    """What to give up after the server refused `body`; None when the request itself is at fault."""
    text = f"{refusal.param} {refusal.message}"
    unknown = _UNKNOWN.search(text) is not None
    if "response_format" in body and _SCHEMA.search(text):
        return _less_schema(terms)
    if isinstance(body.get("tool_choice"), dict) and _TOOLS.search(text):
        return Yielded(
            replace(terms, named=False),
            "The backend cannot be told which tool to call: where one must be, it is the only one "
            "it is shown.",
        )
    if "tools" in body and unknown and _TOOLS.search(text):
        return Yielded(
            replace(terms, tools="words"),
            "The backend takes no tools in this request: they are described in the system message.",
        )
    return _less(terms, body, text) if unknown else None


def ignores_schemas(terms: Terms) -> Yielded:
    """The terms after an answer that was no JSON although a schema was accepted."""
    return Yielded(
        replace(terms, schema="words"),
        "The backend does not hold the model to a JSON schema: it is asked for in words, and what "
        "comes is mended.",
    )


def ignores_tools(terms: Terms) -> Yielded:
    """The terms after an answer without the call that was required."""
    return Yielded(
        replace(terms, tools="words"),
        "The backend does not make the model call a tool where one must be: tools are described in "
        "the system message.",
    )


def _less_schema(terms: Terms) -> Yielded:
    if terms.schema == "json_schema":
        return Yielded(
            replace(terms, schema="json_object"),
            "The backend takes no JSON schema: any JSON is asked for, the schema in words, and "
            "what comes is mended.",
        )
    return ignores_schemas(terms)


def _less(terms: Terms, body: Mapping[str, Any], text: str) -> Yielded | None:
    """Leave out the first field of ours that the server's complaint names."""
    for field in sorted(named_fields(body), key=len, reverse=True):
        if not _names(text, field):
            continue
        if field == "max_tokens" and "max_completion_tokens" in text:
            return Yielded(replace(terms, limit="max_completion_tokens"), "")
        return Yielded(
            replace(terms, dropped=terms.dropped | {field}),
            f"The backend does not know {field!r}: it is left out from here on.",
        )
    return None


def named_fields(body: Mapping[str, Any]) -> Collection[str]:
    """Every field that may be left out: all but the messages, and what an old turn thought."""
    thought = any("reasoning_content" in message for message in body["messages"])
    needed = ("messages", "model", "stream", "tools", "tool_choice", "response_format", "n")
    return {*(field for field in body if field not in needed)} | (
        {"reasoning_content"} if thought else set()
    )


def _names(text: str, field: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(field)}(?![\w-])", text) is not None
