"""Bytes of a document -> its title and text, with every sentence as it stands there."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import trafilatura
from pypdf import PdfReader
from pypdf.errors import PyPdfError

from edge_agent.errors import FetchError
from edge_agent.tools import markup
from edge_agent.tools.media import HTML_TYPES

MAX_CHARS = 4_000_000  # read of one document; what lies beyond is named in the text
MAX_GUESS_CHARS = 1_000_000  # above this only the plain walk is made: its time grows linearly
MAX_PDF_PAGES = 500
MAX_PDF_S = 60.0
_KEPT = 0.4  # of all visible words: a guess at the content that keeps less has lost some of it


@dataclass(frozen=True, slots=True)
class Extracted:
    """A document as text: headings as `# `, tables as `| a | b |` rows, list items as `- `."""

    title: str
    text: str


def extract(data: bytes, media_type: str, charset: str, url: str) -> Extracted:
    """Title and text of a document.

    Takes as long as the document is large, seconds at most but for a PDF of hundreds of pages:
    call it in a thread. Raises FetchError: unsupported for a type that is not read, empty for a
    document without words.
    """
    reader = _READERS.get(media_type) or (_plain if media_type.startswith("text/") else None)
    if reader is None:
        message = f"{url} is {media_type}, which is not read: only HTML, PDF and text are."
        raise FetchError(message, url, "unsupported")
    extracted = reader(data, charset, url)
    if not extracted.text.strip():
        message = f"{url} has no text that can be read without running its scripts."
        raise FetchError(message, url, "empty")
    return extracted


def _decoded(data: bytes, charset: str) -> str:
    text = data.decode(charset, "replace").replace("\r\n", "\n").replace("\0", "")
    if len(text) <= MAX_CHARS:
        return text
    return f"{text[:MAX_CHARS]}\n\n({_cut(f'the first {MAX_CHARS:,} characters')})"


def _cut(kept: str) -> str:
    return f"The document goes on: only {kept} were read."


def _html(data: bytes, charset: str, url: str) -> Extracted:
    source = _decoded(data, charset)
    tree = markup.parse(source)
    if tree is None:
        return Extracted("", "")
    title = markup.title_of(tree) or _name(url)
    main = markup.main_part(tree)
    marked = "" if main is None else markup.render(main)
    return Extracted(title, marked or _unmarked(tree, len(source)))


def _unmarked(tree: markup.Node, size: int) -> str:
    """The content of a page that does not say where its content is.

    trafilatura guesses; but when its guess keeps too little, or has run all blocks into one line
    as it does with short pages, everything visible is better than a sentence lost.
    """
    seen = markup.render(tree)
    guessed = _guessed(tree) if size <= MAX_GUESS_CHARS else ""
    too_little = len(guessed.split()) < _KEPT * len(seen.split())
    flattened = "\n" in seen and "\n" not in guessed
    return seen if too_little or flattened else guessed


def _guessed(tree: markup.Node) -> str:
    try:
        found: Any = trafilatura.bare_extraction(tree, include_comments=False, favor_recall=True)
    except Exception:  # whatever it trips over in a stranger's page, the plain walk stands in
        return ""
    return "" if found is None or found.body is None else markup.render(found.body)


def _pdf(data: bytes, charset: str, url: str) -> Extracted:
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise FetchError(f"{url} is a PDF behind a password.", url, "unsupported")
        texts, n_pages = _pdf_pages(reader), len(reader.pages)
        title = str((reader.metadata and reader.metadata.title) or "").strip()
    except FetchError:
        raise
    except (
        PyPdfError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        RecursionError,
        OSError,
        ArithmeticError,
        AssertionError,
    ) as error:
        message = f"{url} is a PDF that cannot be read ({type(error).__name__}): it may be damaged."
        raise FetchError(message, url, "unsupported") from error
    if not any(texts):
        message = f"{url} is a PDF of pictures only ({n_pages} pages): it holds no text to read."
        raise FetchError(message, url, "empty")
    blocks = [f"## Page {n}\n\n{text}" for n, text in enumerate(texts, 1) if text]
    if len(texts) < n_pages:
        blocks.append(f"({_cut(f'{len(texts)} of {n_pages} pages')})")
    return Extracted(title or _name(url), "\n\n".join(blocks))


def _pdf_pages(reader: PdfReader) -> list[str]:
    """The text of each page, up to the limits of pages, characters and seconds."""
    texts: list[str] = []
    room, deadline = MAX_CHARS, time.monotonic() + MAX_PDF_S
    for page in reader.pages:
        if len(texts) == MAX_PDF_PAGES or room <= 0 or time.monotonic() > deadline:
            break
        texts.append(rejoined(page.extract_text()))
        room -= len(texts[-1])
    return texts


def rejoined(text: str) -> str:
    """A PDF page's lines as sentences: a line that runs to the margin goes on in the next one.

    A line is full when it has three quarters of the longest line's characters; a word that is
    hyphenated at the end of a full line becomes whole when small letters stand on both sides.
    """
    lines = [" ".join(line.replace("\0", "").split()) for line in text.splitlines()]
    full = 0.75 * max((len(line) for line in lines), default=0)
    out = ""
    for before, line in zip(["", *lines], lines, strict=False):
        goes_on = before and line and (line[0].islower() or before[-1] not in ".!?:")
        if goes_on and len(before) >= full and before[-1] == "-" and line[0].islower():
            out = out[:-1] + line
        elif goes_on and len(before) >= full:
            out += " " + line
        else:
            out += "\n" + line
    return re.sub(r"\n{3,}", "\n\n", out).strip()


def _plain(data: bytes, charset: str, url: str) -> Extracted:
    return Extracted(_name(url), _decoded(data, charset).strip())


def _markdown(data: bytes, charset: str, url: str) -> Extracted:
    text = _decoded(data, charset).strip()
    heading = re.search(r"^# +(.+?)[ #]*$", text, re.M)
    return Extracted(heading.group(1) if heading else _name(url), text)


def _json(data: bytes, charset: str, url: str) -> Extracted:
    text = _decoded(data, charset)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # cut or not quite JSON: still text
        return Extracted(_name(url), text.strip())
    title = value.get("title") if isinstance(value, dict) else None
    pretty = json.dumps(value, ensure_ascii=False, indent=1)
    return Extracted(title if isinstance(title, str) and title else _name(url), pretty)


def _csv(data: bytes, charset: str, url: str) -> Extracted:
    text = _decoded(data, charset)
    try:
        rows = [[" ".join(cell.split()) for cell in row] for row in csv.reader(io.StringIO(text))]
    except csv.Error:
        return Extracted(_name(url), text.strip())
    lines = (f"| {' | '.join(row)} |" for row in rows if any(row))
    return Extracted(_name(url), "\n".join(lines))


def _name(url: str) -> str:
    """The last part of a URL's path, for documents that name themselves nowhere."""
    parts = urlsplit(url)
    return PurePosixPath(unquote(parts.path)).name or parts.netloc or url


_READERS: dict[str, Callable[[bytes, str, str], Extracted]] = {
    **dict.fromkeys(HTML_TYPES, _html),
    "application/pdf": _pdf,
    "text/markdown": _markdown,
    "text/x-markdown": _markdown,
    "application/json": _json,
    "application/ld+json": _json,
    "text/csv": _csv,
    "application/xml": _html,
    "text/xml": _html,
    "application/rss+xml": _html,
    "application/atom+xml": _html,
}
