"""The way to Chromium, which is an extra: it is loaded when the extra is installed."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from edge_agent.tools.web.client import WebClient

EXTRA = "playwright"
HOME = "edge_agent.tools.web.chromium"


class Renderer(Protocol):
    """Runs the scripts of a page; raises FetchError."""

    async def rendered(self, url: str) -> str:
        """The page's HTML when its scripts have run."""
        ...


@asynccontextmanager
async def open_renderer(
    web: WebClient, executable: str | None = None
) -> AsyncIterator[Renderer | None]:
    """A renderer while the block runs; None where edge-agent[render] is not installed."""
    if importlib.util.find_spec(EXTRA) is None:
        yield None
        return
    chromium = importlib.import_module(HOME).Chromium(web, executable)
    try:
        yield chromium
    finally:
        await chromium.aclose()
