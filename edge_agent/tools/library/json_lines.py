"""A file of JSON lines as a source of documents."""

from __future__ import annotations

import bz2
import functools
import gzip
import html
import json
import lzma
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

from edge_agent.errors import LibraryError
from edge_agent.store.library.records import Known
from edge_agent.tools.library.source import Content, Item, Met, Told, Unread
from edge_agent.tools.read.extract import fingerprint

SUFFIXES = (".jsonl", ".ndjson", ".jsonlines")
MAX_LINE_BYTES = 64 * 2**20
MEDIA_TYPE = "text/plain"
TITLES = ("title", "name", "headline")
TEXTS = ("text", "paragraphs", "content", "contents", "body", "abstract", "summary", "markdown")
URLS = ("url", "link", "href")
IDS = ("id", "_id", "docid", "doc_id")
_OPEN: dict[str, Callable[[BinaryIO], Any]] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
_ODD = re.compile(r"[^\w.~()-]+")


def is_json_lines(path: Path) -> bool:
    """By its name, also where it is packed with gzip, xz or bzip2."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _OPEN:
        suffixes.pop()
    return bool(suffixes) and suffixes[-1] in SUFFIXES


class JsonLines:
    """One document a line: an object with a text, and mostly a title, a URL and an id.

    The text is under one of TEXTS, a string or a list of them. HTML entities, which exports often
    leave behind, become what they stand for.
    """

    kind = "jsonl"

    def __init__(self, file: Path) -> None:
        self._file = file

    @property
    def location(self) -> str:
        return str(self._file)

    def items(self, told: Told, known: Mapping[str, Known]) -> Iterator[Met]:
        """In the order of the file. Raises LibraryError: no such file, or it breaks off."""
        paths: set[str] = set()
        try:
            total = self._file.stat().st_size
            with self._file.open("rb") as raw, closing(_unpacked(self._file, raw)) as lines:
                for number, line in enumerate(iter(lambda: lines.readline(MAX_LINE_BYTES), b""), 1):
                    told(raw.tell(), total)
                    if line.strip():
                        yield _item(line, number, paths)
        except (OSError, EOFError, lzma.LZMAError) as error:
            raise LibraryError(f"Its file cannot be read: {error}.") from None


def _unpacked(file: Path, raw: BinaryIO) -> Any:
    opener = _OPEN.get(file.suffix.lower())
    return opener(raw) if opener else raw


def _item(line: bytes, number: int, taken: set[str]) -> Item | Unread:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return Unread(f"line {number}", "it is not JSON")
    if not isinstance(record, dict) or not _text(record):
        return Unread(f"line {number}", f"it has no text under any of {', '.join(TEXTS)}")
    digest = fingerprint(line.strip(), MEDIA_TYPE)
    path = _path(record, digest)
    if path in taken:
        return Unread(f"line {number}", f"another document is called {path} as well")
    taken.add(path)
    return Item(path, digest, functools.partial(_content, record, path))


def _path(record: Mapping[str, Any], digest: str) -> str:
    """The document's title as a path, with its id where it has one; else what its line hashes to.

    It stays the same when lines are added or moved.
    """
    title = _ODD.sub("_", _first(record, TITLES)).strip("_")[:120]
    number = _ODD.sub("_", _first(record, IDS))[:80]
    return "-".join(filter(None, (title, number))) or digest[:16]


def _content(record: Mapping[str, Any], path: str) -> Content:
    title = " ".join(html.unescape(_first(record, TITLES)).split())
    url = _first(record, URLS)
    return Content(title or path, _text(record), MEDIA_TYPE, url if "://" in url else "")


def _text(record: Mapping[str, Any]) -> str:
    value = next((record[key] for key in TEXTS if record.get(key)), "")
    parts = value if isinstance(value, list) else [value]
    text = "\n\n".join(part.strip() for part in parts if isinstance(part, str))
    return html.unescape(text).strip()


def _first(record: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    """The first of these fields that says something."""
    found = (record[key] for key in keys if record.get(key) not in (None, ""))
    return str(next((one for one in found if isinstance(one, (str, int))), "")).strip()
