"""Rows of an engine's answer as hits."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from edge_agent.tools.base import SearchHit

_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")


def line(value: object) -> str:
    """Text on one line, without the tags and entities that some engines mark words with."""
    if not isinstance(value, (str, int, float)):
        return ""
    return " ".join(html.unescape(_TAG.sub("", str(value))).split())


def hits_of(
    rows: Any,
    source: str,
    limit: int,
    url: str = "url",
    title: str = "title",
    snippet: str = "content",
    published: str = "",
) -> list[SearchHit]:
    """The rows that have a URL, in order; the names of their fields differ between engines."""
    hits = []
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, Mapping) and isinstance(row.get(url), str) and row[url].strip():
            when = line(row.get(published)) or None
            hits.append(
                SearchHit(
                    row[url].strip(), line(row.get(title)), line(row.get(snippet)), source, when
                )
            )
    return hits[:limit]


def shortened(query: str, chars: int, words: int = 1000) -> str:
    """As much of a query as an engine takes, cut between words."""
    kept = " ".join(query.split()[:words])
    if len(kept) <= chars:
        return kept
    return kept[: kept.rfind(" ", 0, chars + 1)] if " " in kept[: chars + 1] else kept[:chars]
