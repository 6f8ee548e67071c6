"""The folder of states: bounded, shared, and never the cause of an error."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.engine.kv.cells import Ids
from edge_agent.engine.kv.shelf import Kept, Shelf
from edge_agent.engine.kv.shelf_writer import ShelfWriter
from edge_agent.engine.kv.statefile import State
from tests.patience import HANG_S

MANY = 1 << 30
KEY = "a model"
IDS: Ids = np.array([1, 2, 3, 4], np.int32)
STATE: State = np.arange(200, dtype=np.uint8)


def shelf_in(folder: Path, max_bytes: int = MANY, key: str = KEY) -> tuple[Shelf, list[str]]:
    notices: list[str] = []
    return Shelf(folder, max_bytes, key, notices.append, spare_bytes=0), notices


def ids_of(*tokens: int) -> Ids:
    return np.array(tokens, np.int32)


def found_in(shelf: Shelf, prompt: Ids) -> tuple[int, Kept]:
    found = shelf.longest(prompt)
    assert found is not None
    return found


def files_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.state"))


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_a_restart_finds_what_was_put(tmp_path: Path) -> None:
    shelf_in(tmp_path)[0].put(IDS, STATE)
    shelf, notices = shelf_in(tmp_path)
    length, kept = found_in(shelf, ids_of(1, 2, 3, 9))
    state = shelf.load(kept)
    assert length == 3 and kept.n_bytes == len(STATE) and np.array_equal(kept.ids, IDS)
    assert state is not None and np.array_equal(state, STATE)
    assert notices == []


def test_another_model_finds_nothing(tmp_path: Path) -> None:
    shelf_in(tmp_path)[0].put(IDS, STATE)
    other, notices = shelf_in(tmp_path, key="another model")
    assert other.longest(IDS) is None
    assert len(files_in(tmp_path)) == 1 and notices == []


def test_a_state_from_one_shelf_is_not_loaded_by_another(tmp_path: Path) -> None:
    first, _ = shelf_in(tmp_path / "a")
    second, _ = shelf_in(tmp_path / "b")
    for shelf in (first, second):
        shelf.put(IDS, STATE)
    assert second.load(found_in(first, IDS)[1]) is None


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), max_size=8),
    st.lists(st.integers(0, 2), max_size=7),
)
def test_longest_equals_a_brute_force(
    tmp_path_factory: pytest.TempPathFactory, kept: list[list[int]], prompt: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("brute")
    writing, _ = shelf_in(folder)
    for tokens in kept:
        writing.put(ids_of(*tokens), STATE)
    best = max((shared(tokens, prompt) for tokens in kept), default=0)
    for shelf in (writing, shelf_in(folder)[0]):
        found = shelf.longest(ids_of(*prompt))
        assert (found[0] if found else 0) == best
        assert found is None or shared(found[1].ids.tolist(), prompt) == best


def shared(a: list[int], b: list[int]) -> int:
    """Length of the longest common prefix, the slow way."""
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 900), st.booleans()), max_size=12))
def test_the_folder_never_exceeds_its_bound(
    tmp_path_factory: pytest.TempPathFactory, puts: list[tuple[int, int, bool]]
) -> None:
    folder = tmp_path_factory.mktemp("bound")
    shelves = [shelf_in(folder, 2000, key)[0] for key in ("one model", "another")]
    for token, n_bytes, which in puts:
        shelves[which].put(ids_of(token, n_bytes), np.ones(n_bytes, np.uint8))
        assert sum(path.stat().st_size for path in folder.iterdir()) <= 2000


def test_the_least_recently_used_of_all_models_goes_first(tmp_path: Path) -> None:
    other, _ = shelf_in(tmp_path, key="another model")
    other.put(IDS, STATE)
    (theirs,) = files_in(tmp_path)
    size = theirs.stat().st_size
    shelf, _ = shelf_in(tmp_path, 3 * size)
    for token in (1, 2):
        shelf.put(ids_of(token, token, token, token), STATE)
    for path in files_in(tmp_path):
        age(path, 200 if path == theirs else 100)
    assert shelf.load(found_in(shelf, ids_of(1))[1]) is not None  # now the youngest
    shelf.put(ids_of(3, 3, 3, 3), STATE)
    assert not theirs.exists()
    shelf.put(ids_of(4, 4, 4, 4), STATE)
    assert shelf.longest(ids_of(2)) is None
    assert shelf.longest(ids_of(1)) is not None


def test_a_state_larger_than_the_bound_displaces_nothing(tmp_path: Path) -> None:
    shelf, notices = shelf_in(tmp_path, 1000)
    shelf.put(IDS, STATE)
    shelf.put(ids_of(9), np.zeros(2000, np.uint8))
    assert shelf.longest(IDS) is not None and shelf.longest(ids_of(9)) is None
    assert len(notices) == 1 and "larger" in notices[0]


def test_a_nearly_full_disk_is_left_alone(tmp_path: Path) -> None:
    notices: list[str] = []
    shelf = Shelf(tmp_path, MANY, KEY, notices.append, spare_bytes=1 << 60)
    shelf.put(IDS, STATE)
    shelf.put(IDS, STATE)
    assert files_in(tmp_path) == []
    assert len(notices) == 1 and "nearly full" in notices[0]


@pytest.mark.parametrize("place", [0, 12, 45, 60, 70, 80, -100, -1])
def test_a_damaged_file_is_refused_and_removed(tmp_path: Path, place: int) -> None:
    shelf_in(tmp_path)[0].put(IDS, STATE)
    (path,) = files_in(tmp_path)
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    shelf, notices = shelf_in(tmp_path)
    found = shelf.longest(IDS)
    assert found is None or shelf.load(found[1]) is None
    assert not path.exists() and shelf.longest(IDS) is None
    assert len(notices) == 1 and "damaged" in notices[0]


@pytest.mark.parametrize("length", [0, 5, 50, 70, 100, -1])
def test_a_cut_file_is_refused_and_removed(tmp_path: Path, length: int) -> None:
    shelf_in(tmp_path)[0].put(IDS, STATE)
    (path,) = files_in(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    shelf, notices = shelf_in(tmp_path)
    assert shelf.longest(IDS) is None
    assert not path.exists() and len(notices) == 1


def test_a_file_cut_while_it_is_known_is_refused(tmp_path: Path) -> None:
    shelf, notices = shelf_in(tmp_path)
    shelf.put(IDS, STATE)
    _, kept = found_in(shelf, IDS)
    (path,) = files_in(tmp_path)
    os.truncate(path, 150)
    assert shelf.load(kept) is None and not path.exists() and len(notices) == 1


def test_a_vanished_file_is_forgotten(tmp_path: Path) -> None:
    shelf, notices = shelf_in(tmp_path)
    shelf.put(IDS, STATE)
    _, kept = found_in(shelf, IDS)
    (path,) = files_in(tmp_path)
    path.unlink()
    assert shelf.load(kept) is None
    assert shelf.longest(IDS) is None and not shelf.covers(IDS)
    assert len(notices) == 1


def test_what_another_process_adds_or_removes_is_seen(tmp_path: Path) -> None:
    shelf, _ = shelf_in(tmp_path)
    other, _ = shelf_in(tmp_path)
    other.put(IDS, STATE)
    assert shelf.covers(IDS) and shelf.covers(IDS[:2]) and not shelf.covers(ids_of(1, 2, 9))
    time.sleep(0.02)  # a folder's time moves in ticks of some milliseconds
    files_in(tmp_path)[0].unlink()
    assert shelf.longest(IDS) is None


def test_only_the_owner_may_look(tmp_path: Path) -> None:
    shelf, _ = shelf_in(tmp_path / "deep" / "folder")
    shelf.put(IDS, STATE)
    (path,) = files_in(tmp_path / "deep" / "folder")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_made_is_told_and_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    shelf, notices = shelf_in(tmp_path / "file" / "folder")
    shelf.put(IDS, STATE)
    shelf.put(IDS, STATE)
    assert shelf.longest(IDS) is None and shelf.longest(IDS) is None
    assert 1 <= len(notices) <= 3 and len(set(notices)) == len(notices)
    assert all("prompts are computed instead" in notice for notice in notices)


def test_a_folder_that_was_removed_is_made_again(tmp_path: Path) -> None:
    shelf, _ = shelf_in(tmp_path / "folder")
    (tmp_path / "folder").rmdir()
    shelf.put(IDS, STATE)
    assert shelf.covers(IDS)


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind this user")
def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    shelf, notices = shelf_in(tmp_path)
    shelf.put(IDS, STATE)
    tmp_path.chmod(0o700)
    assert len(notices) == 1 and not shelf.covers(IDS)


def test_stale_temporary_files_are_removed_and_fresh_ones_left(tmp_path: Path) -> None:
    stale, fresh = tmp_path / ".state-01234567", tmp_path / ".state-abcdefgh"
    for path in (stale, fresh):
        path.write_bytes(b"half")
    age(stale, 90)
    shelf_in(tmp_path)
    assert not stale.exists() and fresh.exists()


def test_files_that_are_not_the_caches_own_are_left_alone(tmp_path: Path) -> None:
    strange = [tmp_path / "notes.state", tmp_path / ".state", tmp_path / ".state-x.backup"]
    for path in strange:
        path.write_bytes(bytes(900))
        age(path, 1000)
    folder = tmp_path / f"{'0' * 16}-{'0' * 40}.state"
    folder.mkdir()
    shelf, notices = shelf_in(tmp_path, 1000)
    for token in range(4):
        shelf.put(ids_of(token), np.zeros(400, np.uint8))
    assert shelf.covers(ids_of(3)) and not shelf.covers(ids_of(0)) and notices == []
    assert folder.is_dir() and all(path.exists() for path in strange)


def test_two_processes_may_write_at_once(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITES, str(tmp_path)], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    outputs = [writer.communicate(timeout=HANG_S)[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert outputs == [b"", b""], "a process was told of trouble"
    shelf, notices = shelf_in(tmp_path)
    states = [shelf.load(found_in(shelf, ids_of(i, i))[1]) for i in range(20)]
    assert [state[0] for state in states if state is not None] == list(range(20))
    assert notices == [] and len(list(tmp_path.iterdir())) == 20


_WRITES = """
import sys
from pathlib import Path
import numpy as np
from edge_agent.engine.kv.shelf import Shelf
shelf = Shelf(Path(sys.argv[1]), 1 << 30, "a model", print, spare_bytes=0)
for i in range(20):
    shelf.put(np.array([i, i], np.int32), np.full(100_000, i, np.uint8))
"""


def test_a_process_killed_while_it_writes_leaves_a_usable_folder(tmp_path: Path) -> None:
    for pause_s in (0.0, 0.02, 0.06):
        with subprocess.Popen(
            [sys.executable, "-c", _WRITES_FOR_EVER, str(tmp_path)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(pause_s)
            writer.kill()
    for path in tmp_path.glob(".state-*"):
        age(path, 90)
    shelf, notices = shelf_in(tmp_path)
    shelf.put(IDS, STATE)
    assert shelf.covers(IDS) and not list(tmp_path.glob(".state-*"))
    first = shelf.load(found_in(shelf, ids_of(1000))[1])
    assert first is not None and len(first) == 4 << 20 and notices == []


_WRITES_FOR_EVER = """
import itertools, sys
from pathlib import Path
import numpy as np
from edge_agent.engine.kv.shelf import Shelf
shelf = Shelf(Path(sys.argv[1]), 64 << 20, "a model", spare_bytes=0)
state = np.random.default_rng(0).integers(0, 255, 4 << 20, dtype=np.uint8)
for i in itertools.count():
    shelf.put(np.array([1000, i], np.int32), state)
    print(i, flush=True)
"""


def put_many(shelf: Shelf, enough: threading.Event) -> None:
    i, end = 0, time.monotonic() + HANG_S
    while i < 150 or not (enough.is_set() or time.monotonic() > end):
        shelf.put(ids_of(i % 30, i), STATE)
        i += 1


def test_one_thread_may_write_while_another_looks(tmp_path: Path) -> None:
    shelf, notices = shelf_in(tmp_path, 4000)
    enough = threading.Event()
    writing = threading.Thread(target=put_many, args=(shelf, enough))
    writing.start()
    loaded = 0
    while writing.is_alive():
        for token in range(30):
            found = shelf.longest(ids_of(token))
            state = shelf.load(found[1]) if found else None
            if state is not None and np.array_equal(state, STATE):
                loaded += 1
                enough.set()
    writing.join()
    assert loaded and not any("damaged" in notice for notice in notices)


def test_the_writer_writes_what_waits_before_it_ends(tmp_path: Path) -> None:
    shelf, _ = shelf_in(tmp_path)
    writer = ShelfWriter(shelf)
    writer.write(IDS, STATE)
    writer.write(ids_of(7), STATE)
    writer.close(timeout_s=HANG_S)
    assert shelf.covers(IDS) and shelf.covers(ids_of(7))


def test_a_writer_that_cannot_keep_up_drops_and_does_not_wait(tmp_path: Path) -> None:
    class StuckShelf(Shelf):
        def put(self, ids: Ids, state: State) -> None:
            assert goes_on.wait(HANG_S), "somebody waits for it"
            written.append(int(ids[0]))

    goes_on, written = threading.Event(), list[int]()
    writer = ShelfWriter(StuckShelf(tmp_path, MANY, KEY))
    for token in (1, 1, 2, 3, 4, 5, 6):
        writer.write(ids_of(token), STATE)
    writer.close(timeout_s=0.05)
    assert written == []
    goes_on.set()
    writer.close(timeout_s=HANG_S)
    assert written[0] == 1 and len(written) == len(set(written)) <= 3
