"""Content-Encoding undone piece by piece, with a bound on what comes out."""

from __future__ import annotations

import zlib

ACCEPT_ENCODING = "gzip, deflate"
_ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS
_RAW_DEFLATE = -zlib.MAX_WBITS


class TooLargeError(Exception):
    """More bytes than allowed came out."""


class BrokenStreamError(Exception):
    """The bytes are not what the encoding says, or end too early."""


class Inflater:
    """Feeds on compressed bytes of gzip, deflate or identity; never holds more than `limit` bytes.

    A gzip bomb costs no more memory than `limit`. Raises ValueError for any other encoding.
    """

    def __init__(self, encoding: str, limit: int) -> None:
        name = encoding.strip().lower()
        if name not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise ValueError(name)
        self._zip = None if name in ("", "identity") else zlib.decompressobj(_ZLIB_OR_GZIP)
        self._limit = limit
        self._out = bytearray()

    def feed(self, data: bytes) -> None:
        """Take the next bytes from the wire. Raises TooLargeError or BrokenStreamError."""
        if self._zip is None:
            self._keep(data)
            return
        while data:
            data = self._inflate(data)

    def _inflate(self, data: bytes) -> bytes:
        assert self._zip is not None
        room = self._limit - len(self._out) + 1
        try:
            self._keep(self._zip.decompress(data, room))
        except zlib.error as error:
            if self._out:
                raise BrokenStreamError(str(error)) from None
            return self._as_raw_deflate(data, str(error))
        if not self._zip.eof:
            return self._zip.unconsumed_tail
        rest = self._zip.unused_data
        if rest[:2] == b"\x1f\x8b":  # another gzip member follows
            self._zip = zlib.decompressobj(_ZLIB_OR_GZIP)
            return rest
        return b""

    def _as_raw_deflate(self, data: bytes, why: str) -> bytes:
        """Some servers say deflate and send it without the zlib header."""
        raw = zlib.decompressobj(_RAW_DEFLATE)
        try:
            self._keep(raw.decompress(data, self._limit + 1))
        except zlib.error:
            raise BrokenStreamError(why) from None
        self._zip = raw
        return raw.unconsumed_tail

    def _keep(self, data: bytes) -> None:
        if len(self._out) + len(data) > self._limit:
            raise TooLargeError
        self._out += data

    @property
    def size(self) -> int:
        """Bytes that came out until now."""
        return len(self._out)

    @property
    def so_far(self) -> bytes:
        """What came out until now."""
        return bytes(self._out)

    def finish(self) -> bytes:
        """Everything that came out. Raises BrokenStreamError when the compressed stream was cut."""
        if self._zip is not None and not self._zip.eof and self._out:
            raise BrokenStreamError("it ends in the middle")
        return bytes(self._out)
