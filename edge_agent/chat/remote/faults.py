"""What a backend answers when it does not do as asked, to errors of ours."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_agent.errors import (
    ContextOverflow,
    EdgeAgentError,
    EngineBusy,
    EngineCrashed,
    EngineError,
    NotFound,
    NotSupported,
    RequestError,
)

SHOWN_CHARS = 400
RETRY_S = 1.0  # where a busy server does not say how long to wait
# How vLLM, SGLang, llama-server, OpenAI and this server tell the two numbers.
_WINDOWS = (
    r"(?:maximum|model's|max(?:imum)? ?model|available) context (?:length|size|window)"
    r"(?: is| of|:)? ?\(?(\d+)",
    r"context window holds (\d+)",
    r"context length \((\d+)",
)
_PROMPTS = (
    r"\((\d+) in the (?:messages|prompt)",
    r"(?:resulted in|has|contains|of) (\d+) (?:input |prompt )?tokens",
    r"input(?: prompt)? \((\d+) tokens",
    r"prompt \(?(?:has |length )?(\d+)",
    r"requested (?:about )?(\d+) tokens",
    r"request \((\d+) tokens",
)


class RefusedError(Exception):
    """An answer of 400, 422 or 501: perhaps only a field the server does not know.

    param: the field it names as one, error: what to raise when nothing can be left out.
    """

    def __init__(self, message: str, param: str, error: EdgeAgentError) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.error = error


@dataclass(frozen=True, slots=True)
class Fault:
    """An error a server told: its status, its words, and what else it said."""

    status: int
    message: str
    body: Mapping[str, Any]
    retry_after_s: float | None = None

    @property
    def param(self) -> str:
        """The field the server names as the one at fault, or ""."""
        return str(self.body.get("param") or "")


def fault_of(status: int, text: str, retry_after: str | None = None) -> Fault:
    """Read the body of an answer that is an error, in whatever shape it came."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    return _fault(status, value, text, _seconds(retry_after))


def fault_in(value: Mapping[str, Any]) -> Fault:
    """The same for an error that came as an event of a stream that had begun."""
    told = value.get("error")
    inner = told if isinstance(told, dict) else value
    code = inner.get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    return _fault(status, value, json.dumps(value), None)


def _fault(status: int, value: Any, text: str, retry_after_s: float | None) -> Fault:
    body = value if isinstance(value, dict) else {}
    told = body.get("error")
    inner = told if isinstance(told, dict) else body
    named = (inner.get("message"), told, body.get("message"), body.get("detail"))
    message = next((m for m in named if m and m is not inner), text)
    words = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
    return Fault(status, _short(words), inner, retry_after_s)


def _seconds(header: str | None) -> float | None:
    try:
        seconds = float(header) if header else math.nan
    except ValueError:  # a date
        return None
    return seconds if 0 <= seconds < math.inf else None


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARS else line[: SHOWN_CHARS - 1] + "…"


def error_of(fault: Fault, where: str, model: str) -> EdgeAgentError:
    """The error of ours for what the server at `where` told."""
    told = f" It said: {fault.message}" if fault.message else ""
    if fault.status in (401, 403):
        return EngineError(
            f"The backend {where} refuses the API key: name the environment variable that holds "
            f"a good one with --backend-key-env.{told}"
        )
    if fault.status == 404:
        return NotFound(
            f"The backend {where} has no model {model!r} or no chat completions: see what it "
            f"lists under /models, and choose with --backend-model.{told}"
        )
    if fault.status == 429:
        return EngineBusy(f"The backend {where} is busy.{told}", fault.retry_after_s or RETRY_S)
    if fault.status == 503:
        return EngineCrashed(f"The backend {where} is not ready.{told}")
    if overflow := overflow_of(fault):
        return overflow
    if fault.status < 400 or (fault.status >= 500 and fault.status != 501):
        return EngineError(f"The backend {where} failed with status {fault.status}.{told}")
    return _refusal(fault, where)


def _refusal(fault: Fault, where: str) -> RequestError:
    sentence = f"The backend {where} refuses the request: {fault.message}"
    kind = NotSupported if fault.status == 501 else RequestError
    return kind(sentence, fault.param or None)


def overflow_of(fault: Fault) -> ContextOverflow | None:
    """The overflow a server tells of, when it tells the size of its window too."""
    n_prompt, n_ctx = fault.body.get("n_prompt_tokens"), fault.body.get("n_ctx")
    if isinstance(n_prompt, int) and isinstance(n_ctx, int):
        return ContextOverflow(n_prompt, n_ctx)
    window, tokens = _number(_WINDOWS, fault.message), _number(_PROMPTS, fault.message)
    return ContextOverflow(tokens, window) if window and tokens else None


def _number(patterns: tuple[str, ...], text: str) -> int | None:
    found = (re.search(pattern, text, re.I) for pattern in patterns)
    return next((int(match[1]) for match in found if match), None)
