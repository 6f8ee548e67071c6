"""Every status of refusal with its meaning, and the shapes of the bodies that say so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WHY: Mapping[int, str] = {
    400: "The request cannot be read or cannot be answered: a field is missing or wrong, or the "
    "prompt does not fit into the window (`exceed_context_size_error`).",
    401: "The server has API keys and none of them was sent.",
    403: "A page of another origin asked, or the name under which the server was asked for is not "
    "its own; or a program on another machine asked for what is only for this one's.",
    404: "There is no such model, or nothing of this id.",
    408: "The body came too slowly.",
    409: "What is asked for does not go with the state it is in.",
    413: "The body is larger than the server reads.",
    415: "A page of a browser sent something that is not JSON.",
    429: "Too many requests are waiting; Retry-After says for how many seconds to wait.",
    500: "A field asks for what is not done here, for which Anthropic's API has no status.",
    501: "A field asks for what is not done here (`not_supported_error`); it is named.",
    502: "A tool, or a server elsewhere, failed.",
    503: "The model is loading, restarting or down.",
}

_CODE = {"anyOf": [{"type": "integer"}, {"type": "string"}]}
ERRORS: Mapping[str, Any] = {
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message", "type"],
                "properties": {
                    "code": _CODE,
                    "message": {"type": "string", "minLength": 1},
                    "type": {"type": "string", "minLength": 1},
                    "param": {"type": "string"},
                },
            }
        },
    },
    "AnthropicError": {
        "type": "object",
        "required": ["type", "error"],
        "properties": {
            "type": {"const": "error"},
            "error": {
                "type": "object",
                "required": ["type", "message"],
                "properties": {
                    "type": {"type": "string", "minLength": 1},
                    "message": {"type": "string", "minLength": 1},
                },
            },
        },
    },
}
