"""From the body of a completion to the form its answer must have."""

from __future__ import annotations

from typing import Any

from edge_agent.chat.constraints import grammar_of as grammar_in
from edge_agent.chat.messages import Grammar
from edge_agent.errors import RequestError
from edge_agent.server.completions.schemas import ChatBody, ResponseFormat, Sampled


def schema_of(body: ChatBody) -> dict[str, Any] | None:
    """The JSON Schema of the answer, {} for any object, None without. Raises RequestError."""
    wanted = body.response_format
    if wanted is None or wanted.type not in ("json_object", "json_schema"):
        return body.json_schema
    if body.json_schema is not None:
        raise _twice("json_schema")
    if wanted.type == "json_object":
        return wanted.schema_ or {}
    if wanted.json_schema is None:
        raise _missing("json_schema")
    return wanted.json_schema.schema_


def grammar_of(body: ChatBody) -> Grammar | None:
    """The grammar of the answer, None without. Raises RequestError."""
    named = _format_grammar(body.response_format)
    if not body.grammar:
        return named
    if named is not None or schema_of(body) is not None:
        raise _twice("grammar")
    return grammar_in(body.grammar)


def plain_form(body: Sampled) -> tuple[dict[str, Any] | None, Grammar | None]:
    """The schema or the grammar of a route without response_format. Raises RequestError."""
    if not body.grammar:
        return body.json_schema, None
    if body.json_schema is not None:
        raise RequestError("grammar: it cannot be given together with json_schema.", "grammar")
    return None, grammar_in(body.grammar)


def _format_grammar(wanted: ResponseFormat | None) -> Grammar | None:
    if wanted is None or wanted.type not in ("regex", "grammar"):
        return None
    if wanted.type == "regex":
        if not wanted.pattern:
            raise _missing("pattern")
        return Grammar("regex", wanted.pattern)
    if not wanted.grammar:
        raise _missing("grammar")
    return grammar_in(wanted.grammar)


def _missing(name: str) -> RequestError:
    field = f"response_format.{name}"
    return RequestError(f"{field}: this field is required.", field)


def _twice(field: str) -> RequestError:
    return RequestError(f"{field}: it cannot be given together with response_format.", field)
