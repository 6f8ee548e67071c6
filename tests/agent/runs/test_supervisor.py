"""A few jobs at once, the others in order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from edge_agent.agent.runs.supervisor import Job, Supervisor
from tests.patience import HANG_S, until


class Bench:
    """Jobs that wait for a sign; what began, ended and was cancelled is written down."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.cancelled: list[str] = []
        self.sign = asyncio.Event()

    def job(self, name: str) -> Job:
        async def work() -> None:
            self.begun.append(name)
            try:
                await self.sign.wait()
                self.ended.append(name)
            except asyncio.CancelledError:
                await asyncio.sleep(0.01)  # a clean-up that takes its time
                self.cancelled.append(name)
                raise

        return work


async def test_no_more_than_the_limit_run_at_once_and_the_rest_in_order() -> None:
    bench, supervisor = Bench(), Supervisor(2)
    for name in "abcde":
        supervisor.add(name, bench.job(name))
    await asyncio.sleep(0)
    assert (bench.begun, supervisor.n_queued()) == (["a", "b"], 3)
    await supervisor.cancel("a")
    assert bench.cancelled == ["a"]
    await asyncio.sleep(0)
    assert bench.begun == ["a", "b", "c"]
    bench.sign.set()
    await until(lambda: len(bench.ended) == 4)
    assert (bench.begun, bench.ended) == (list("abcde"), list("bcde"))


async def test_what_is_dropped_from_the_queue_never_begins() -> None:
    bench, supervisor = Bench(), Supervisor(1)
    for name in "abc":
        supervisor.add(name, bench.job(name))
    assert supervisor.drop("b")
    assert not supervisor.drop("b") and not supervisor.drop("a")
    bench.sign.set()
    await until(lambda: "c" in bench.ended)
    assert bench.ended == ["a", "c"]


async def test_a_job_that_swallows_its_cancellation_is_told_again() -> None:
    supervisor, heard = Supervisor(1), list[int]()

    async def deaf() -> None:
        for i in range(2):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                heard.append(i)

    supervisor.add("deaf", deaf)
    await asyncio.sleep(0)
    await asyncio.wait_for(supervisor.cancel("deaf"), HANG_S)
    assert heard == [0, 1]


async def test_closing_cancels_what_runs_and_forgets_what_waits() -> None:
    bench, supervisor = Bench(), Supervisor(2)
    for name in "abc":
        supervisor.add(name, bench.job(name))
    await asyncio.sleep(0)
    await supervisor.close()
    await until(lambda: len(bench.cancelled) == 2)
    assert (bench.begun, sorted(bench.cancelled)) == (["a", "b"], ["a", "b"])


async def test_a_job_that_fails_makes_room_for_the_next() -> None:
    bench, supervisor = Bench(), Supervisor(1)

    async def broken() -> None:
        raise ZeroDivisionError

    supervisor.add("broken", broken)
    supervisor.add("a", bench.job("a"))
    bench.sign.set()
    await until(lambda: bench.ended == ["a"])


class Kept:
    """Something that is in use or not."""

    def __init__(self) -> None:
        self.users = 0

    @contextmanager
    def use(self) -> Iterator[None]:
        self.users += 1
        try:
            yield
        finally:
            self.users -= 1


async def test_what_jobs_need_is_in_use_from_the_queue_to_the_end() -> None:
    bench, kept = Bench(), Kept()
    supervisor = Supervisor(1, kept.use)
    for name in "abc":
        supervisor.add(name, bench.job(name))
    assert kept.users == 3
    supervisor.drop("c")
    assert kept.users == 2
    await asyncio.sleep(0)
    await supervisor.cancel("a")
    await asyncio.sleep(0)
    assert (bench.begun, kept.users) == (["a", "b"], 1)
    bench.sign.set()
    await until(lambda: kept.users == 0)
    supervisor.add("d", bench.job("d"))
    supervisor.add("e", bench.job("e"))
    await supervisor.close()
    await until(lambda: kept.users == 0)


async def test_one_holder_cannot_take_the_place_of_another() -> None:
    bench, supervisor = Bench(), Supervisor(3, each=1)
    for name in ("a1", "a2", "b1", "a3"):
        supervisor.add(name, bench.job(name), name[0])
    await asyncio.sleep(0)
    assert bench.begun == ["a1", "b1"]
    assert [supervisor.n_queued(holder) for holder in "abc"] == [2, 0, 0]
    bench.sign.set()
    await until(lambda: len(bench.ended) == 4)
    assert bench.begun == ["a1", "b1", "a2", "a3"]
