"""Server-sent events from bytes that arrive in any pieces: a pure machine.

The format is that of the HTML standard, section 9.2; only `data` is of use here.
"""

from __future__ import annotations

import re

from edge_agent.errors import EngineError

MAX_EVENT_BYTES = 16 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\n|\r(?=.)", re.S)  # a last \r may be half of a \r\n


class SseReader:
    """Feed it the body of a response; what comes out is the same for every split."""

    def __init__(self) -> None:
        self._held = b""
        self._data: list[bytes] = []
        self._started = False

    def feed(self, data: bytes) -> list[str]:
        """The data of the events that are complete now. Raises EngineError for a runaway one."""
        self._held += data
        if not self._started and not self._open():
            return []
        events = [event for line in self._lines() if (event := self._line(line)) is not None]
        if len(self._held) + sum(map(len, self._data)) > MAX_EVENT_BYTES:
            raise EngineError(
                f"The backend sent an event of more than {MAX_EVENT_BYTES >> 20} MiB: "
                "it is not speaking server-sent events."
            )
        return events

    def flush(self) -> list[str]:
        """What an end without the blank line that should close an event leaves."""
        return self.feed(b"\n\n\n")

    def _open(self) -> bool:
        """Pass the byte order mark that may begin a stream; False while it may still come."""
        if len(self._held) < len(_BOM) and _BOM.startswith(self._held):
            return False
        self._held = self._held.removeprefix(_BOM)
        self._started = True
        return True

    def _lines(self) -> list[bytes]:
        *lines, self._held = _LINE_END.split(self._held)
        return lines

    def _line(self, line: bytes) -> str | None:
        if not line:
            event, self._data = self._data, []
            return b"\n".join(event).decode("utf-8", "replace") if event else None
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
        return None
