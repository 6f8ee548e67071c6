"""A folder of files as a source of documents."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from edge_agent.errors import LibraryError
from edge_agent.store.library.records import Known
from edge_agent.tools.library.source import Content, Item, Met, Told, Unread
from edge_agent.tools.read.apart import EXTRACT_S, extract_here
from edge_agent.tools.read.charset import charset_of
from edge_agent.tools.read.extract import fingerprint
from edge_agent.tools.read.media import media_type_of, suffix_type

MAX_FILE_BYTES = 64 * 2**20


class Folder:
    """Every visible file below `folder` that can be read: HTML, Markdown, text, CSV, PDF, DOCX.

    read_s: most seconds that one of those may take which are read in a process of their own.
    """

    kind = "folder"

    def __init__(self, folder: Path, read_s: float = EXTRACT_S) -> None:
        self._folder = folder
        self._read_s = read_s

    @property
    def location(self) -> str:
        return str(self._folder)

    def items(self, told: Told, known: Mapping[str, Known]) -> Iterator[Met]:
        """In a fixed order. Raises LibraryError."""
        if not self._folder.is_dir():
            raise LibraryError("What it was given does not exist or is not a folder.")
        files = list(_files(self._folder))
        for done, (path, file) in enumerate(files):
            told(done, len(files))
            yield _item(path, file, self._read_s)


def _item(path: str, file: Path, read_s: float) -> Item | Unread:
    promised = suffix_type(path)
    if not promised:
        return Unread(path, "files of its kind are not read")
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            return Unread(path, f"it is larger than {MAX_FILE_BYTES >> 20} MiB")
        data = file.read_bytes()
    except OSError as error:
        return Unread(path, f"it cannot be opened ({error.strerror})", kept=True)
    media_type = media_type_of(data, promised)
    read = functools.partial(_content, data, media_type, path, read_s)
    return Item(path, fingerprint(data, media_type), read)


def _content(data: bytes, media_type: str, path: str, read_s: float) -> Content:
    found = extract_here(data, media_type, charset_of(data, "", media_type), path, read_s)
    return Content(found.title, found.text, media_type)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """(relative path with `/`, file) of every visible file."""
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(here) / name
            if not name.startswith(".") and file.is_file():
                yield file.relative_to(folder).as_posix(), file
