"""Plain text, Markdown, JSON and CSV -> title and text."""

from __future__ import annotations

import csv
import io
import json
import re

from edge_agent.tools.read.document import Extracted, decoded, name_of

_DELIMITERS = ",;\t|"  # of two that are as frequent the first


def read_plain(data: bytes, charset: str, url: str) -> Extracted:
    """As it stands."""
    return Extracted(name_of(url), decoded(data, charset).strip())


def read_markdown(data: bytes, charset: str, url: str) -> Extracted:
    """As it stands, under its first heading."""
    text = decoded(data, charset).strip()
    heading = re.search(r"^# +(.+?)[ #]*$", text, re.M)
    return Extracted(heading.group(1) if heading else name_of(url), text)


def read_json(data: bytes, charset: str, url: str) -> Extracted:
    """Indented, so that a name and its value stand on a line; its `title` when it has one."""
    text = decoded(data, charset)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # cut or not quite JSON: still text
        return Extracted(name_of(url), text.strip())
    title = value.get("title") if isinstance(value, dict) else None
    pretty = json.dumps(value, ensure_ascii=False, indent=1)
    return Extracted(title if isinstance(title, str) and title else name_of(url), pretty)


def read_csv(data: bytes, charset: str, url: str) -> Extracted:
    """A table as rows, whatever sign stands between its cells."""
    text = decoded(data, charset)
    first = text.lstrip().partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        read = csv.reader(io.StringIO(text), delimiter=delimiter)
        rows = [[" ".join(cell.split()) for cell in row] for row in read]
    except csv.Error:
        return Extracted(name_of(url), text.strip())
    lines = (f"| {' | '.join(row)} |" for row in rows if any(row))
    return Extracted(name_of(url), "\n".join(lines))
