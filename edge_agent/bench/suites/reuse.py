"""`share`, `turns`, `fork`, `restart`: what is not computed twice."""

from __future__ import annotations

import asyncio
import tempfile
import time
from itertools import pairwise

from edge_agent.bench.lacking import Lacking
from edge_agent.bench.report import Target
from edge_agent.bench.rig import Rig, reader, run
from edge_agent.bench.sizes import OWN_TOKENS, TURN_TOKENS
from edge_agent.bench.stream import Stream
from edge_agent.bench.subject import Ask, Prompt
from edge_agent.bench.suite import INSIDE, Figure, Samples, Suite

COMPUTED = Target("tokens", 16, "at most")


async def share(rig: Rig) -> Samples:
    """Prompt tokens computed for a request whose prefix a busy sequence holds."""
    subject = await rig.subject()
    prefix = subject.new(rig.sizes.prefix)
    async with reader(subject, subject.longer(prefix, OWN_TOKENS), rig.sizes.read) as stream:
        second = await run(subject, Ask(subject.longer(prefix, OWN_TOKENS), 1))
        if stream.ended and stream.ended < second.times[0]:
            raise Lacking("does not begin a request while it writes another")
    return {"prompt tokens computed": [second.computed]}


async def turns(rig: Rig) -> Samples:
    """Tokens computed per turn of a growing transcript, beyond the new ones."""
    subject = await rig.subject()
    prompt = subject.new(rig.sizes.prompt)
    streams = [await run(subject, Ask(prompt, TURN_TOKENS))]
    for _ in range(rig.sizes.turns - 1):
        prompt = subject.after(prompt, streams[-1], rig.sizes.observation)
        streams.append(await run(subject, Ask(prompt, TURN_TOKENS)))
    pairs = list(pairwise(streams))
    return {
        "computed per turn beyond the new": [max(_again(*pair) for pair in pairs)],
        "computed per turn": [stream.computed for stream in streams[1:]],
    }


def _again(before: Stream, after: Stream) -> float:
    """Tokens that had been computed or written in the turn before and were not cached."""
    known = (before.prompt_tokens or 0) + before.n_tokens
    return known - ((after.prompt_tokens or 0) - after.computed)


async def fork(rig: Rig) -> Samples:
    """Continuations of one prompt as one request, and as requests of their own."""
    n, n_tokens = rig.sizes.many, rig.sizes.decoded
    subject = await rig.subject()

    async def forked(prompt: Prompt) -> tuple[float, int]:
        stream = await run(subject, Ask(prompt, n_tokens, n=n, temperature=1.0))
        if len(stream.continuations) < n:
            raise Lacking(f"writes {len(stream.continuations)} continuations for n = {n}")
        return stream.ended - stream.began, stream.computed

    async def apart(prompt: Prompt) -> tuple[float, int]:
        began = time.perf_counter()
        asks = (Ask(prompt, n_tokens, temperature=1.0, seed=i) for i in range(n))
        streams = await asyncio.gather(*(run(subject, ask) for ask in asks))
        return time.perf_counter() - began, sum(stream.computed for stream in streams)

    one, many = subject.new(rig.sizes.prompt), subject.new(rig.sizes.prompt)
    (together_s, computed), (apart_s, apart_computed) = await rig.both(
        lambda: forked(one), lambda: apart(many)
    )
    return {
        f"{n} continuations, apart / forked": [apart_s / together_s],
        f"{n} continuations, prompt tokens computed when forked": [computed],
        f"{n} continuations, prompt tokens computed apart": [apart_computed],
    }


async def restart(rig: Rig) -> Samples:
    """A pinned prefix on disk: what a new engine computes of it."""
    if rig.contender.kind == "peer":
        raise Lacking("keeps no prefix over a restart by itself")
    with tempfile.TemporaryDirectory(prefix="edge-agent-bench-") as folder:
        subject = await rig.subject(cache_dir=folder)
        prefix = subject.new(rig.sizes.prefix)
        cold = await run(subject, _pinned(subject.longer(prefix, OWN_TOKENS), rig))
        await rig.aclose()
        subject = await rig.subject(cache_dir=folder)
        warm = await run(subject, _pinned(subject.longer(prefix, OWN_TOKENS), rig))
        await rig.aclose()
    return {
        "prompt tokens computed": [warm.computed],
        "first token after": [warm.to_first],
        "first token cold / after": [cold.to_first / warm.to_first],
    }


def _pinned(prompt: Prompt, rig: Rig) -> Ask:
    return Ask(prompt, 1, pin=rig.sizes.prefix)


RATIO = Figure(Target("ratio"))
TOKENS = Figure(Target("tokens"))
SHARE = Suite(share, {"prompt tokens computed": Figure(COMPUTED, "max")})
TURNS = Suite(
    turns,
    {
        "computed per turn beyond the new": Figure(Target("tokens", 2, "at most"), "max"),
        "computed per turn": TOKENS,
    },
)
FORK = Suite(
    fork,
    {
        "apart / forked": RATIO,
        "prompt tokens computed when forked": TOKENS,
        "prompt tokens computed apart": TOKENS,
    },
)
RESTART = Suite(
    restart,
    {
        "prompt tokens computed": Figure(COMPUTED, "max"),
        "first token after": Figure(Target("s")),
        "first token cold / after": RATIO,
    },
    INSIDE,
)
