"""How long a page may be used again, and how to ask whether it changed: RFC 9111, in short."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

MAX_FRESH_S = 7 * 86_400.0
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)
_MAX_TAG_CHARS = 500


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server knows a version of `url` by. Empty when it gave nothing."""

    url: str
    etag: str = ""
    modified: str = ""

    def __bool__(self) -> bool:
        return bool(self.etag or self.modified)

    def headers(self) -> dict[str, str]:
        """What asks for the page only if it changed."""
        asked = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in asked.items() if value}


NOTHING_KNOWN = Validators("")


def validators_of(url: str, headers: Mapping[str, str]) -> Validators:
    """What the response's head says; tags that could not be sent back are left out."""
    etag, modified = headers.get("etag", ""), headers.get("last-modified", "")
    return Validators(url, _sendable(etag), _sendable(modified))


def _sendable(value: str) -> str:
    value = value.strip()
    return value if value.isascii() and value.isprintable() and len(value) < _MAX_TAG_CHARS else ""


def fresh_s(headers: Mapping[str, str]) -> float | None:
    """Seconds for which the server calls its answer good; None when it must not be kept."""
    control = headers.get("cache-control", "").lower()
    if "no-store" in control or "private" in control or headers.get("vary", "").strip() == "*":
        return None
    if "no-cache" in control:
        return 0.0
    if (age := _MAX_AGE.search(control)) is not None:
        spent = headers.get("age", "")
        left = int(age[1]) - (int(spent) if spent.isdecimal() else 0)
        return float(min(max(left, 0), MAX_FRESH_S))
    if (left_s := _until(headers.get("expires", ""))) is not None:
        return min(max(left_s, 0.0), MAX_FRESH_S)
    return 0.0


def _until(date: str) -> float | None:
    if not date:
        return None
    try:
        when = parsedate_to_datetime(date)
    except (ValueError, TypeError, IndexError):
        return 0.0  # an Expires that is no date means: already over
    if when.tzinfo is None:
        when = when.replace(tzinfo=timezone.utc)
    return (when - datetime.now(timezone.utc)).total_seconds()
