"""Embeddings made behind everything else, so that a library is searched by meaning too, in time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from edge_agent.errors import BadModelFile, ToolError
from edge_agent.tools.library.kind import AnyLibrary

BATCH = 4  # documents: a quarter of a second on one slow core
SHARE = 0.2  # of the time in which vectors are made; the rest is the agent's
IDLE_S = 20.0  # between two looks at libraries that have all theirs


async def fill_behind(libraries: Sequence[AnyLibrary], idle_s: float = IDLE_S) -> None:
    """Makes what vectors are missing, of libraries that were searched, until it is cancelled.

    A library whose vectors cannot be made is left as it is: words find its documents.
    """
    left = list(libraries)
    while left:
        made = 0
        for library in [each for each in left if each.is_open]:
            began = time.monotonic()
            try:
                made += await asyncio.to_thread(library.fill, BATCH)
            except (ToolError, BadModelFile):
                left.remove(library)
            await asyncio.sleep((time.monotonic() - began) * (1 / SHARE - 1))
        if not made:
            await asyncio.sleep(idle_s)
