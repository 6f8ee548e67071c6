"""Unpacking gives the same bytes however they are cut, and never more than the limit."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.tools.web.inflate import BrokenStreamError, Inflater, TooLargeError


@given(data=st.binary(min_size=1, max_size=2000), sizes=st.lists(st.integers(1, 99), min_size=1))
@pytest.mark.parametrize("encoding", ["gzip", "deflate", ""])
def test_every_cut_of_the_stream_gives_the_same_bytes(
    encoding: str, data: bytes, sizes: list[int]
) -> None:
    wire = {"gzip": gzip.compress(data), "deflate": zlib.compress(data), "": data}[encoding]
    inflater = Inflater(encoding, 10_000)
    while wire:
        size = sizes[len(wire) % len(sizes)]
        inflater.feed(wire[:size])
        wire = wire[size:]
    assert inflater.finish() == data


@pytest.mark.parametrize("cut", [1, 1000])
def test_a_bomb_is_stopped_at_the_limit(cut: int) -> None:
    inflater = Inflater("gzip", 1000)
    bomb = gzip.compress(b"\0" * 10_000_000)
    with pytest.raises(TooLargeError):
        for start in range(0, len(bomb), cut):
            inflater.feed(bomb[start : start + cut])


def test_exactly_the_limit_is_allowed() -> None:
    for encoding, wire in (("gzip", gzip.compress(b"x" * 1000)), ("", b"x" * 1000)):
        inflater = Inflater(encoding, 1000)
        inflater.feed(wire)
        assert inflater.finish() == b"x" * 1000


def test_a_cut_or_damaged_stream_is_broken() -> None:
    inflater = Inflater("gzip", 10_000)
    inflater.feed(gzip.compress(b"words and words " * 99)[:-12])
    with pytest.raises(BrokenStreamError):
        inflater.finish()
    with pytest.raises(BrokenStreamError):
        Inflater("gzip", 1000).feed(b"never packed at all")


def test_an_encoding_nobody_asked_for_is_refused() -> None:
    with pytest.raises(ValueError, match="br"):
        Inflater("br", 1000)
