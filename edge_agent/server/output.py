"""JSON on its way out, whatever a model wrote into it."""

from __future__ import annotations

import json
import math
from typing import Any

from fastapi.responses import JSONResponse


def to_json(data: Any) -> bytes:
    """UTF-8 JSON that every parser takes: half a surrogate pair becomes "?", NaN becomes null."""
    try:
        text = _dump(data)
    except ValueError:
        text = _dump(_finite(data))
    return text.encode("utf-8", "replace")


def _dump(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


class JsonResponse(JSONResponse):
    """A response of `to_json`."""

    def render(self, content: Any) -> bytes:
        return to_json(content)
