from __future__ import annotations

import subprocess
import sys
import time

import pytest

from edge_agent.engine.core.hands import LOOK_S, Hands, busy_s, usable_cores
from tests.patience import HANG_S


class Cores:
    """A machine whose other programs use as many cores as they are told."""

    def __init__(self) -> None:
        self.all_s = self.own_s = self.now = 0.0

    def __call__(self) -> tuple[float, float]:
        return self.all_s, self.own_s

    def run(self, seconds: float, own: float, others: float) -> float:
        self.now += seconds
        self.own_s += own * seconds
        self.all_s += (own + others) * seconds
        return self.now


def stepped(made: Hands, cores: Cores, own: float, others: float) -> bool:
    """A step of a second beside others, and then a look."""
    made.rest(cores.run(1.0, own, others))
    return made.look(cores.now)


def hands(n_threads: int, n_cores: int) -> tuple[Hands, Cores]:
    cores = Cores()
    made = Hands(n_threads, n_cores, cores)
    cores.now = time.monotonic()
    return made, cores


def test_a_thread_gives_way_to_a_busy_program_and_comes_back() -> None:
    made, cores = hands(2, 2)
    assert not stepped(made, cores, own=2.0, others=0.0) and made.n_threads == 2
    assert stepped(made, cores, own=1.4, others=0.6) and made.n_threads == 1
    assert not stepped(made, cores, own=1.0, others=0.25) and made.n_threads == 1
    assert stepped(made, cores, own=1.0, others=0.05) and made.n_threads == 2


def test_what_ran_while_it_rested_is_not_held_against_now() -> None:
    made, cores = hands(2, 2)
    assert not made.look(cores.run(20.0, own=0.0, others=2.0)) and made.n_threads == 2
    assert stepped(made, cores, own=1.0, others=1.0) and made.n_threads == 1
    assert made.look(cores.run(20.0, own=0.0, others=1.0)) and made.n_threads == 2


def test_its_own_work_is_nobody_elses() -> None:
    made, cores = hands(4, 4)
    for _ in range(5):
        stepped(made, cores, own=4.0, others=0.1)
    assert made.n_threads == 4


@pytest.mark.parametrize(("others", "threads"), [(0.1, 4), (3.0, 4), (4.9, 3), (7.2, 1), (9.0, 1)])
def test_spare_cores_are_used_up_first(others: float, threads: int) -> None:
    made, cores = hands(4, 8)
    stepped(made, cores, own=2.0, others=others)
    assert made.n_threads == threads


def test_it_looks_only_now_and_then() -> None:
    made, cores = hands(2, 2)
    assert not made.look(cores.run(LOOK_S / 3, own=1.0, others=1.0))
    assert made.n_threads == 2


def test_the_clocks_of_this_machine_tell_other_programs_from_this_one() -> None:
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        all_s, own_s = busy_s()
        others_s, end = 0.0, time.monotonic() + HANG_S
        while others_s < 0.5 and time.monotonic() < end:
            time.sleep(0.1)
            later_s, own_later_s = busy_s()
            others_s = (later_s - all_s) - (own_later_s - own_s)
    finally:
        busy.kill()
        busy.wait()
    assert others_s >= 0.5 > own_later_s - own_s
    assert len(usable_cores()) >= 1
