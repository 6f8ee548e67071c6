"""Embeddings are made behind the searches, and a library that cannot have any is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from edge_agent.errors import BadModelFile
from edge_agent.tools.embed import Vectors
from edge_agent.tools.library.behind import fill_behind
from edge_agent.tools.library.folder import Folder
from edge_agent.tools.library.library import Library
from tests.patience import HANG_S, until

from .fakes import Topics


class Broken:
    """An embedder whose file is damaged."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        raise BadModelFile("It is damaged.")


def made(tmp_path: Path, name: str, embedder: Topics | Broken) -> Library:
    (tmp_path / name).mkdir()
    for n in range(9):
        (tmp_path / name / f"{n}.txt").write_text(f"Herring number {n}.")
    library = Library(name, Folder(tmp_path / name), tmp_path / f"{name}.sqlite")
    library.embed_with(embedder, "topics")
    return library


async def test_only_libraries_that_were_searched_are_filled(tmp_path: Path) -> None:
    used = made(tmp_path, "used", Topics("herring"))
    unused = made(tmp_path, "unused", Topics("herring"))
    filling = asyncio.create_task(fill_behind([used, unused], idle_s=0.01))
    await asyncio.sleep(0.05)
    assert not used.is_open
    await used.search("herring", 3)
    await until(lambda: used.counts() == (9, 0))
    assert not unused.is_open and not filling.done()
    filling.cancel()
    await asyncio.gather(filling, return_exceptions=True)


async def test_a_broken_model_costs_the_meanings_and_not_the_words(tmp_path: Path) -> None:
    library = made(tmp_path, "used", Broken())
    await asyncio.to_thread(library.refresh)
    await asyncio.wait_for(fill_behind([library], idle_s=0.01), HANG_S)
    assert library.counts() == (9, 9)
