"""Whether a backend is there, asked now and then, so that nobody waits to find out."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import NoReturn

from edge_agent.chat.remote.link import Link
from edge_agent.errors import EngineCrashed, EngineError, NotFound, RequestError


class Watch:
    """`detail` is why the backend cannot be used, or "". It is asked every `every_s` seconds, and
    every `again_s` while it cannot."""

    def __init__(self, link: Link, every_s: float = 15.0, again_s: float = 3.0) -> None:
        self._link = link
        self._every_s = every_s
        self._again_s = again_s
        self.detail = ""
        self.losses = 0  # times it was found gone

    async def run(self) -> NoReturn:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(self._again_s if self.detail else self._every_s)
            await self.look()

    async def look(self) -> None:
        """Ask once. A server that answers anything but a failure is there."""
        detail = ""
        with suppress(NotFound, RequestError):
            try:
                await self._link.ask("models")
            except (EngineCrashed, EngineError) as error:
                detail = str(error)
        self.losses += bool(detail and not self.detail)
        self.detail = detail
