"""One file, one state: whole, or refused."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.engine.kv.cells import Ids
from edge_agent.engine.kv.statefile import State, file_size, read_head, read_state, write_state

KEY = bytes(range(32))
IDS: Ids = np.arange(7, dtype=np.int32) * 70_000
STATE: State = np.arange(600, dtype=np.uint8)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bytes]:
    path = tmp_path_factory.mktemp("whole") / "a.state"
    write_state(path, KEY, IDS, STATE)
    yield path.read_bytes()


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.state"
    write_state(path, KEY, IDS, STATE)
    found = read_state(path, KEY)
    head = read_head(path, KEY)
    assert found is not None and head is not None
    assert np.array_equal(found[0], IDS) and np.array_equal(found[1], STATE)
    assert np.array_equal(head.ids, IDS) and head.n_state == len(STATE)
    assert path.stat().st_size == file_size(len(IDS), len(STATE))


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "a.state"
    write_state(path, KEY, IDS, STATE)
    assert path.stat().st_mode & 0o777 == 0o600


def test_another_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.state"
    write_state(path, KEY, IDS, STATE)
    assert read_head(path, bytes(32)) is None
    assert read_state(path, bytes(32)) is None


def test_a_file_cut_anywhere_is_refused(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "a.state"
    for length in [*range(0, 100), *range(100, len(whole), 17), len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert read_head(path, KEY) is None, length
        assert read_state(path, KEY) is None, length


def test_a_file_with_bytes_added_is_refused(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "a.state"
    path.write_bytes(whole + b"\0")
    assert read_state(path, KEY) is None


def test_every_flipped_byte_is_found(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "a.state"
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0x40
        path.write_bytes(damaged)
        assert read_state(path, KEY) is None, place


@given(st.data())
def test_the_head_alone_shows_damage_before_the_state(
    whole: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "head.state"
    damaged = bytearray(whole)
    place = data.draw(st.integers(0, file_size(len(IDS), 0) - 1))
    damaged[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(damaged)
    assert read_head(path, KEY) is None


def test_a_head_that_lies_about_its_size_takes_no_memory(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "a.state"
    path.write_bytes(whole[:40] + (1 << 60).to_bytes(8, "little") + whole[48:])
    assert read_state(path, KEY) is None


def test_no_half_file_is_left_when_the_disk_refuses(tmp_path: Path) -> None:
    # the real refusal, by a process that may not write files of more than 64 KiB
    done = subprocess.run(
        [sys.executable, "-c", _OVER_THE_LIMIT, str(tmp_path)], capture_output=True, text=True
    )
    assert done.stdout.strip() == "refused", done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_writer_killed_at_any_moment_leaves_no_half_file(tmp_path: Path) -> None:
    for pause_s in (0.0, 0.01, 0.05):
        with subprocess.Popen(
            [sys.executable, "-c", _WRITES_FOR_EVER, str(tmp_path)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(pause_s)
            writer.kill()
    written = list(tmp_path.glob("*.state"))
    assert written
    assert all(read_state(path, KEY) is not None for path in written)


_OVER_THE_LIMIT = """
import resource, sys
from pathlib import Path
import numpy as np
from edge_agent.engine.kv.statefile import write_state
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    write_state(Path(sys.argv[1]) / "a.state", bytes(32), np.zeros(1, np.int32),
                np.zeros(1 << 20, np.uint8))
except OSError:
    print("refused")
"""

_WRITES_FOR_EVER = """
import itertools, sys
from pathlib import Path
import numpy as np
from edge_agent.engine.kv.statefile import write_state
state = np.random.default_rng(0).integers(0, 255, 4 << 20, dtype=np.uint8)
for i in itertools.count():
    write_state(Path(sys.argv[1]) / f"{i % 4}.state", bytes(range(32)),
                np.arange(i, dtype=np.int32), state)
    print(i, flush=True)
"""
