"""The folder in which a model is put together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge_agent.catalog.workshop import PARTIAL, workshop
from edge_agent.errors import PullError


def test_many_at_once_each_have_it_alone(tmp_path: Path) -> None:
    inside: list[int] = []

    def work(number: int) -> int:
        with workshop(tmp_path, "tiny") as folder:
            inside.append(number)
            (folder / "part").write_text(str(number))
            alone = [*inside]
            inside.remove(number)
            return len(alone)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(300))) == {1}
    assert not (tmp_path / PARTIAL).exists()


@pytest.mark.parametrize("place", [PARTIAL, f"{PARTIAL}/tiny"])
def test_a_file_in_its_place_is_told(tmp_path: Path, place: str) -> None:
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("")
    with pytest.raises(PullError, match="cannot be"), workshop(tmp_path, "tiny"):
        pass


def test_a_link_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    (tmp_path / "models").symlink_to(tmp_path / "gone")
    with pytest.raises(PullError, match="cannot be"), workshop(tmp_path / "models", "tiny"):
        pass
