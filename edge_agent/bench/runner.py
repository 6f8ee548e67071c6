"""A run of the bench: contenders, suites, rounds."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge_agent.bench.baseline import Baseline
from edge_agent.bench.contenders import contenders_of
from edge_agent.bench.lacking import Lacking
from edge_agent.bench.machine import describe_machine
from edge_agent.bench.native import NativeContender
from edge_agent.bench.report import Report, Result, describe_model
from edge_agent.bench.rig import Rig
from edge_agent.bench.sizes import Sizes
from edge_agent.bench.subject import Contender
from edge_agent.bench.suite import Samples
from edge_agent.bench.suites.table import SUITES
from edge_agent.bench.words import Words
from edge_agent.chat.vocab import Vocab
from edge_agent.engine.params import LoadSpec, ModelInfo
from edge_agent.errors import NotFound

SEED = 20  # prompts differ within a run and are the same from run to run
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to run: no suites and no contenders is all that there are.

    peer_python: the interpreter that has the peers' packages.
    """

    suites: Sequence[str] = ()
    contenders: Sequence[str] = ()
    rounds: int = 3
    sizes: Sizes = field(default_factory=Sizes)
    peer_python: str = ""


async def run_bench(name: str, spec: LoadSpec, wanted: Wanted, say: Say) -> Report:
    """Measure a model; raises NotFound and engine errors.

    Every figure is made of `rounds` rounds; what is loaded is warmed up before it is measured.
    """
    suites = chosen(wanted.suites)
    load_average = os.getloadavg()[0]  # of the others: before there is any of ours
    spec = replace(spec, cache_dir="")  # a suite that keeps prefixes on disk has its own folder
    with closing(Vocab.load(Path(spec.path))) as vocab:
        draw = random.Random(SEED)
        words = Words.of(vocab, draw)
        engine = NativeContender(vocab, draw, say)
        others = contenders_of(words, vocab.eog_ids, wanted.peer_python)
        contenders = _among([engine, *others], wanted.contenders)
        info, spec = await _loaded(engine, spec)
        results = await _results(contenders, spec, words, suites, wanted, say)
    order = {suite: place for place, suite in enumerate(suites)}
    results.sort(key=lambda result: order[result.suite])
    machine = describe_machine(info.system_info, load_average)
    return Report(machine, describe_model(name, info, spec), tuple(results))


async def _results(
    contenders: Sequence[Contender],
    spec: LoadSpec,
    words: Words,
    suites: Sequence[str],
    wanted: Wanted,
    say: Say,
) -> list[Result]:
    results: list[Result] = []
    async with aclosing(Baseline(spec)) as bare:
        for contender in contenders:
            async with aclosing(Rig(contender, spec, bare, words, wanted.sizes)) as rig:
                for suite in suites:
                    results += await _measured(suite, rig, wanted.rounds, say)
    return results


def chosen(names: Sequence[str]) -> list[str]:
    """The suites of these names, all for none; raises NotFound."""
    unknown = sorted(set(names) - set(SUITES))
    if unknown:
        raise NotFound(f"There is no suite {unknown[0]!r}; there is: {', '.join(SUITES)}.")
    return [suite for suite in SUITES if not names or suite in names]


def _among(contenders: Sequence[Contender], names: Sequence[str]) -> list[Contender]:
    known = [contender.name for contender in contenders]
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise NotFound(f"{unknown[0]!r} cannot be measured here; there is: {', '.join(known)}.")
    return [contender for contender in contenders if not names or contender.name in names]


async def _loaded(engine: NativeContender, spec: LoadSpec) -> tuple[ModelInfo, LoadSpec]:
    """What the engine says of the model, and how it ended up loading it."""
    async with engine.open(spec) as subject:
        return subject.engine.info, subject.engine.spec


async def _measured(name: str, rig: Rig, rounds: int, say: Say) -> list[Result]:
    suite, contender = SUITES[name], rig.contender
    if contender.kind not in suite.kinds:
        return []
    taken: list[Samples] = []
    rig.rounds = rounds
    for rig.round in range(rounds):
        say(f"{name}, {contender.name}: round {rig.round + 1} of {rounds}")
        try:
            taken.append(await suite.measure(rig))
        except Lacking as why:
            say(f"{name}, {contender.name}: {why}")
            await rig.aclose()
            return suite.lacking(name, contender, str(why))
    return suite.results(name, contender, taken)
