"""`prune`: dropping the middle of a transcript, against computing what stands behind it again."""

from __future__ import annotations

import time

from edge_agent.bench.lacking import Lacking
from edge_agent.bench.native import NativeSubject
from edge_agent.bench.report import Target
from edge_agent.bench.rig import Rig, run
from edge_agent.bench.sizes import OWN_TOKENS
from edge_agent.bench.subject import Ask, Prompt
from edge_agent.bench.suite import INSIDE, Figure, Samples, Suite
from edge_agent.engine.params import Prune


async def prune(rig: Rig) -> Samples:
    """Seconds to the next token of a transcript whose middle was dropped, either way."""
    subject = await rig.subject()
    if not isinstance(subject, NativeSubject):
        raise Lacking("has no call that removes tokens from what it cached")
    start = stop = (rig.sizes.transcript - rig.sizes.pruned) // 2
    stop += rig.sizes.pruned
    beginning = subject.new(start)
    edited = subject.longer(beginning, rig.sizes.transcript - start)
    again = subject.longer(beginning, rig.sizes.transcript - start)
    await run(subject, Ask(edited, 1))
    began = time.perf_counter()
    await subject.edit(Prune(edited, start, stop))
    seconds = time.perf_counter() - began
    pruned = await run(subject, Ask(_rest(subject, edited, start, stop), 1, accept_pruned=True))
    to_first = seconds + pruned.to_first
    computed = await run(subject, Ask(_rest(subject, again, start, stop), 1))
    return {
        "computed again / pruned": [computed.to_first / to_first],
        "edit": [seconds],
        "to the next token": [to_first],
        "prompt tokens computed": [pruned.computed],
        "prompt tokens computed otherwise": [computed.computed],
    }


def _rest(subject: NativeSubject, transcript: Prompt, start: int, stop: int) -> Prompt:
    return subject.longer((*transcript[:start], *transcript[stop:]), OWN_TOKENS)


SECONDS, TOKENS = Figure(Target("s")), Figure(Target("tokens"))
PRUNE = Suite(
    prune,
    {
        "computed again / pruned": Figure(Target("ratio", 20)),
        "edit": SECONDS,
        "to the next token": SECONDS,
        "prompt tokens computed": TOKENS,
        "prompt tokens computed otherwise": TOKENS,
    },
    INSIDE,
)
