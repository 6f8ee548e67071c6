from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.engine.core.engine import Engine, Item
from edge_agent.engine.core.pages import MAPS, _mapped, give_back
from edge_agent.engine.params import GenerateParams, SamplingParams, Tokens

from ..live import spec_of

pytestmark = pytest.mark.skipif(not MAPS.exists(), reason="/proc/self/maps is Linux's")
Write = Callable[[], list[int]]


def resident(path: Path) -> int:
    """Bytes of a mapped file that are in this process's memory."""
    n_bytes, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        name = line.partition(" ")[0]
        if not name.endswith(":"):
            inside = line.endswith(str(path.resolve()))
        elif inside and name == "Rss:":
            n_bytes += int(line.split()[1]) * 1024
    return n_bytes


def test_the_file_leaves_memory_and_the_model_writes_on(smollm2_path: Path) -> None:
    written: list[Item] = []
    engine = Engine(spec_of(smollm2_path), lambda id, item: written.append(item), print)

    def write(id: int) -> list[int]:
        written.clear()
        params = GenerateParams(SamplingParams(temperature=0), max_tokens=8, ignore_eos=True)
        engine.submit(id, list(range(1000, 1020)), params)
        while engine.has_work:
            engine.step()
        return [id for item in written if isinstance(item, Tokens) for id in item.ids]

    first = write(1)
    before = resident(smollm2_path)
    assert before > 20 << 20
    assert give_back(str(smollm2_path)) >= before
    assert resident(smollm2_path) < before / 10
    assert write(2) == first
    engine.close()


def test_a_file_that_is_not_mapped_has_nothing_to_give(tmp_path: Path) -> None:
    (tmp_path / "other.gguf").write_bytes(b"GGUF")
    assert list(_mapped(str(tmp_path / "other.gguf"))) == []
    assert give_back(str(tmp_path / "other.gguf")) == 0
