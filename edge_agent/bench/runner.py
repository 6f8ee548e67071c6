"""A run of the bench: warm-up, rounds, medians."""

from __future__ import annotations

import os
import random
import statistics
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from edge_agent.bench.bare import Bare
from edge_agent.bench.report import Report, Result, describe_machine, describe_model
from edge_agent.bench.rig import Rig, Sizes
from edge_agent.bench.suites import SUITES, Figures, Suite
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import LoadSpec
from edge_agent.errors import NotFound

SEED = 20  # prompts differ within a run and are the same from run to run
Say = Callable[[str], None]


async def run_bench(
    name: str,
    spec: LoadSpec,
    names: Sequence[str],
    rounds: int,
    say: Say,
    sizes: Sizes | None = None,
) -> Report:
    """Run the named suites (all, when none is) on a model; raises NotFound and engine errors.

    Every figure is the median of `rounds` rounds; one more comes first and is thrown away.
    """
    sizes = sizes or Sizes()
    suites = chosen(names)
    load_average = os.getloadavg()[0]  # of the others: before there is any of ours
    async with open_rig(spec, sizes, say) as rig:
        info = rig.engine.info
        results = [r for suite in suites for r in await _measured(suite, rig, rounds, say)]
        return Report(
            describe_machine(info.system_info, load_average),
            describe_model(name, info, rig.engine.spec),
            tuple(results),
        )


def chosen(names: Sequence[str]) -> list[str]:
    """The suites of these names, all for none; raises NotFound."""
    unknown = sorted(set(names) - set(SUITES))
    if unknown:
        raise NotFound(f"There is no suite {unknown[0]!r}; there is: {', '.join(SUITES)}.")
    return [suite for suite in SUITES if not names or suite in names]


@asynccontextmanager
async def open_rig(spec: LoadSpec, sizes: Sizes, say: Say) -> AsyncIterator[Rig]:
    """An engine in its process, and beside it the bare loop, loaded as the engine ended up."""
    engine = EngineClient(spec, say)
    try:
        await engine.start()
        with Bare(engine.spec) as bare:
            yield Rig(engine, bare, sizes, random.Random(SEED))
    finally:
        await engine.close()


async def _measured(name: str, rig: Rig, rounds: int, say: Say) -> list[Result]:
    suite = SUITES[name]
    taken: list[Figures] = []
    for i in range(rounds + 1):
        say(f"{name}: {f'round {i} of {rounds}' if i else 'warm-up'}")
        taken.append(await suite.measure(rig))
        await rig.idle()
    return _medians(name, suite, taken[1:])


def _medians(name: str, suite: Suite, rounds: Sequence[Figures]) -> list[Result]:
    return [
        Result(name, case, statistics.median(r[case] for r in rounds), suite.target(case))
        for case in rounds[0]
    ]
