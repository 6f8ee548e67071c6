"""What a program says on its stderr: kept short, and shown when the program fails."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TextIO

KEPT_BYTES = 2_000
CHUNK = 4_096


class Muttering:
    """A file for the program to write to, drained as long as this is open.

    Only the end is kept, so that a program that talks for weeks fills neither pipe nor disk.
    """

    def __init__(self) -> None:
        self._kept = b""
        self._task: asyncio.Task[None] | None = None
        self._ends: tuple[asyncio.ReadTransport, TextIO] | None = None

    async def open(self) -> TextIO:
        """The file to give to the program."""
        reader = asyncio.StreamReader()
        read, write = os.pipe()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read, "rb", 0)
        )
        file = os.fdopen(write, "w", encoding="utf-8")
        self._ends = (transport, file)
        self._task = asyncio.create_task(self._drain(reader))
        return file

    async def _drain(self, reader: asyncio.StreamReader) -> None:
        while chunk := await reader.read(CHUNK):
            self._kept = (self._kept + chunk)[-KEPT_BYTES:]

    def last_words(self) -> str:
        """The last line that says something, or ""."""
        lines = self._kept.decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    async def close(self) -> None:
        """Stop listening, whoever still holds the other end."""
        if self._ends is None or self._task is None:
            return
        transport, file = self._ends
        file.close()
        transport.close()
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._ends = None
