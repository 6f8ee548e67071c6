"""A document that never ends is stopped with its process; others are read as anywhere."""

from __future__ import annotations

import asyncio
import time

import psutil
import pytest

from edge_agent.errors import FetchError
from edge_agent.tools.read.apart import extract_apart
from edge_agent.tools.read.extract import extract
from tests.patience import HANG_S, until
from tests.tools.fakes import pdf

URL = "https://isles.example/rules.pdf"
PDF = "application/pdf"
ENDLESS = pdf(["word"] * 1_000_000)  # some kilobytes, and minutes of work


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


@pytest.fixture(autouse=True)
async def helpers() -> None:
    """What multiprocessing starts once and keeps is there before the first count."""
    await extract_apart(pdf(["Harbour rules"]), PDF, "utf-8", URL, HANG_S)


async def test_it_is_read_as_anywhere() -> None:
    data = pdf(["Harbour rules", "No fires on the quay."], title="Rules")
    assert await extract_apart(data, PDF, "utf-8", URL, HANG_S) == extract(data, PDF, "utf-8", URL)


async def test_its_errors_are_ours() -> None:
    for data, kind, said in (
        (b"%PDF-1.4 cut", "unsupported", "may be damaged"),
        (pdf([], []), "empty", "pictures only"),
    ):
        with pytest.raises(FetchError, match=said) as caught:
            await extract_apart(data, PDF, "utf-8", URL, HANG_S)
        assert caught.value.kind == kind and caught.value.url == URL


async def test_what_never_ends_is_stopped_in_time() -> None:
    assert len(ENDLESS) < 100_000
    began, before = time.monotonic(), children()
    with pytest.raises(FetchError, match="took more than 2 seconds") as caught:
        await extract_apart(ENDLESS, PDF, "utf-8", URL, 2)
    assert caught.value.kind == "timeout"
    assert time.monotonic() - began < 20 and not children() - before


async def test_who_is_cancelled_leaves_no_process_behind() -> None:
    before = children()
    task = asyncio.create_task(extract_apart(ENDLESS, PDF, "utf-8", URL, HANG_S))
    await until(lambda: bool(children() - before))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not children() - before
