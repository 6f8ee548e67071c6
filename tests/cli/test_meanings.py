"""While a house stands, its libraries are searched by meaning, and get the vectors they miss."""

from __future__ import annotations

import asyncio
from pathlib import Path

from edge_agent.cli.meanings import meant
from edge_agent.tools.library.folder import Folder
from edge_agent.tools.library.library import Library
from tests.patience import until
from tests.tools.library.fakes import Topics


async def test_vectors_are_made_while_the_block_runs_and_no_longer(tmp_path: Path) -> None:
    (tmp_path / "isles").mkdir()
    (tmp_path / "isles" / "net.txt").write_text("Herring is caught with nets.")
    library = Library("isles", Folder(tmp_path / "isles"), tmp_path / "isles.sqlite")
    await library.search("net", 3)
    async with meant({"isles": library}, Topics("herring", "fish")):
        await until(lambda: not library.counts()[1])
    assert library.counts() == (1, 0)
    assert not [task for task in asyncio.all_tasks() if "fill_behind" in repr(task)]
