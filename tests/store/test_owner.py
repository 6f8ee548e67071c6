"""Who is alive: asked of a lock, which the system frees when its process dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_agent.errors import StoreError
from edge_agent.store.owner import Owner

ELSEWHERE = """
import sys
from pathlib import Path
from edge_agent.store.owner import Owner
owner = Owner(Path(sys.argv[1]))
print(owner.id, flush=True)
sys.stdin.read()
"""


def test_an_owner_is_alive_until_it_is_closed(tmp_path: Path) -> None:
    mine, yours = Owner(tmp_path / "owners"), Owner(tmp_path / "owners")
    assert mine.is_alive(mine.id) and mine.is_alive(yours.id) and yours.is_alive(mine.id)
    yours.close()
    yours.close()
    assert not mine.is_alive(yours.id)
    assert not mine.is_alive("") and not mine.is_alive("nobody")


def test_an_owner_dies_with_its_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ELSEWHERE, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        theirs = process.stdout.readline().strip()
        mine = Owner(tmp_path)
        assert mine.is_alive(theirs)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not mine.is_alive(theirs)
    assert [path.stem for path in tmp_path.iterdir()] == [mine.id]  # and leaves nothing behind


def test_sweeping_removes_what_the_dead_left_long_ago(tmp_path: Path) -> None:
    mine = Owner(tmp_path)
    for name, age_s in (("old", 3600), ("new", 0)):
        (tmp_path / f"{name}.lock").touch()
        then = time.time() - age_s
        os.utime(tmp_path / f"{name}.lock", (then, then))
    os.utime(tmp_path / f"{mine.id}.lock", (0, 0))
    mine.sweep()
    assert {path.stem for path in tmp_path.iterdir()} == {mine.id, "new"}


def test_a_folder_that_cannot_be_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreError, match="cannot be written"):
        Owner(tmp_path / "file")
