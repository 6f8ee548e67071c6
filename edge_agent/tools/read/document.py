"""A document as text, and what its readers share: cutting, decoding, naming."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from edge_agent.tools.base import Link

MAX_CHARS = 4_000_000  # read of one document; what lies beyond is named in the text


@dataclass(frozen=True, slots=True)
class Extracted:
    """A document as text: headings as `# `, tables as `| a | b |` rows, list items as `- `.

    links: where it leads, in reading order, without those of menus.
    """

    title: str
    text: str
    links: tuple[Link, ...] = ()
    scripted: bool = False  # its words are made by scripts, of which none was run
    moved: str = ""  # where a page that says hardly a word sends its reader


def decoded(data: bytes, charset: str) -> str:
    """The text of a document up to MAX_CHARS; bytes that do not fit the charset are replaced."""
    text = data.decode(charset, "replace").replace("\r\n", "\n").replace("\0", "")
    return clipped(text)


def clipped(text: str) -> str:
    """At most MAX_CHARS of a text, and the sentence that says so."""
    if len(text) <= MAX_CHARS:
        return text
    return f"{text[:MAX_CHARS]}\n\n({cut_off(f'the first {MAX_CHARS:,} characters')})"


def cut_off(kept: str) -> str:
    """The sentence for a document of which only a part was read."""
    return f"The document goes on: only {kept} were read."


def name_of(url: str) -> str:
    """The last part of a URL's path, for documents that name themselves nowhere."""
    parts = urlsplit(url)
    return PurePosixPath(unquote(parts.path)).name or parts.netloc or url
