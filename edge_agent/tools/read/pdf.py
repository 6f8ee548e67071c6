"""PDF -> title and text, page by page."""

from __future__ import annotations

import io
import re
import time

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from edge_agent.errors import FetchError
from edge_agent.tools.read.document import MAX_CHARS, Extracted, cut_off, name_of

MAX_PDF_PAGES = 500
MAX_PDF_S = 60.0


def read_pdf(data: bytes, charset: str, url: str) -> Extracted:
    """Page by page, each under its number. Raises FetchError: unsupported for a damaged or locked
    file, empty for one of pictures only."""
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise FetchError(f"{url} is a PDF behind a password.", url, "unsupported")
        texts, n_pages = _pages(reader), len(reader.pages)
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
        blocks.append(f"({cut_off(f'{len(texts)} of {n_pages} pages')})")
    return Extracted(title or name_of(url), "\n\n".join(blocks))


def _pages(reader: PdfReader) -> list[str]:
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
