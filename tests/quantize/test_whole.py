from __future__ import annotations

import errno
from pathlib import Path

import pytest

from edge_agent.errors import CatalogError, RequestError
from quantize.whole import whole


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_target_appears_at_the_end_and_replaces_an_older_one(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("old")
    with whole(target) as part:
        part.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()])
def test_a_failure_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), whole(tmp_path / "out") as part:
        part.mkdir()
        (part / "file").touch()
        raise error
    assert names(tmp_path) == []


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".out.part").mkdir()
    with whole(tmp_path / "out") as part:
        part.write_text("new")
    assert names(tmp_path) == ["out"]


def test_a_full_disk_is_said_before_and_while_writing(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="GB are needed"), whole(tmp_path / "out", 1 << 60):
        pass
    with pytest.raises(CatalogError, match="ran full"), whole(tmp_path / "out") as part:
        part.touch()
        raise OSError(errno.ENOSPC, "No space left on device")
    assert names(tmp_path) == []


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="is no folder"), whole(tmp_path / "no" / "out"):
        pass
