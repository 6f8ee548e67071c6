"""The suites: each measures its figures once, from an idle engine; `runner` takes medians."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from types import MappingProxyType

from edge_agent.bench.report import Target
from edge_agent.bench.rig import TURN_TOKENS, Rig, Stream, reader
from edge_agent.engine.params import GenerateParams

Figures = dict[str, float]
OWN_TOKENS = 8  # of the second request of `share`, beside the prefix
CANCEL_AFTER = 0.3  # of the time a prefill takes
# A step with 64 prompt tokens takes 11 single steps and runs at .90 of the full prefill speed
# (1.5B Q4_K_M, 2 cores); the targets of `stall` are within 15 % of that.
GAP_STEPS = 11 * 1.15
STALLED_SPEED = 0.90 * 0.85


@dataclass(frozen=True, slots=True)
class Suite:
    """What one suite measures; a case without a target is there to be read."""

    measure: Callable[[Rig], Awaitable[Figures]]
    targets: Mapping[str, Target]

    def target(self, case: str) -> Target:
        """Of a case; one that is measured at several sizes names the size before a comma."""
        return self.targets[case.rpartition(", ")[2]]


async def decode(rig: Rig) -> Figures:
    """Tokens per second of the engine over those of the bare loop, same batch, same positions."""
    figures: Figures = {}
    for n in (1, rig.sizes.many):
        prompts = [rig.prompt(rig.sizes.prompt // 8) for _ in range(n)]
        bare = n * rig.sizes.decoded / rig.bare.decode(prompts, rig.sizes.decoded)
        runs = (rig.run(prompt, rig.sizes.decoded + n) for prompt in prompts)
        speed = _together(await asyncio.gather(*runs))
        figures |= {f"{_n(n)}, engine / bare": speed / bare, f"{_n(n)}, engine": speed}
    return figures


def _together(streams: list[Stream]) -> float:
    """Tokens per second while all streams were decoding."""
    begin = max(stream.times[0] for stream in streams)
    end = min(stream.times[-1] for stream in streams)
    during = ([at for at in stream.times if begin <= at <= end] for stream in streams)
    return sum((len(times) - 1) / (times[-1] - times[0]) for times in during)


async def prefill(rig: Rig) -> Figures:
    """Prompt tokens per second of the engine over those of the bare loop, same batch size."""
    figures: Figures = {}
    for n in (1, rig.sizes.many):
        prompts = [rig.prompt(rig.sizes.prompt) for _ in range(n)]
        bare = rig.bare.prefill(prompts)
        began = time.perf_counter()
        await asyncio.gather(*(rig.run(prompt, 1) for prompt in prompts))
        seconds = time.perf_counter() - began
        speed = n * rig.sizes.prompt / seconds
        figures |= {f"{_n(n)}, engine / bare": bare / seconds, f"{_n(n)}, engine": speed}
    return figures


def _n(n: int) -> str:
    return f"{n} sequence{'s' if n > 1 else ''}"


async def share(rig: Rig) -> Figures:
    """Prompt tokens computed for a request whose prefix a busy sequence holds."""
    prefix = rig.prompt(rig.sizes.prefix)
    async with reader(rig, [*prefix, *rig.prompt(OWN_TOKENS)], rig.sizes.prefix // 4):
        second = await rig.run([*prefix, *rig.prompt(OWN_TOKENS)], 1)
    return {"prompt tokens computed": second.computed}


async def stall(rig: Rig) -> Figures:
    """The longest gap of a stream, in its normal ones, while another request is prefilled."""
    alone = await _seconds_to_first(rig)
    async with reader(rig, rig.prompt(rig.sizes.prompt // 8), rig.sizes.long) as stream:
        while len(stream.times) < TURN_TOKENS * 2:
            await asyncio.sleep(0.01)
        normal = statistics.median(stream.gaps(0, time.perf_counter()))
        began = time.perf_counter()
        beside = await _seconds_to_first(rig)
        longest = max(stream.gaps(began, began + beside))
    return {
        "longest gap / normal gap": longest / normal,
        "prefill speed beside a stream / alone": alone / beside,
        "longest gap": longest,
    }


async def _seconds_to_first(rig: Rig) -> float:
    prompt, began = rig.prompt(rig.sizes.long), time.perf_counter()
    await rig.run(prompt, 1)
    return time.perf_counter() - began


async def cancel(rig: Rig) -> Figures:
    """Seconds from closing a stream in the middle of its prefill to an engine at rest."""
    whole = await _seconds_to_first(rig)
    items = rig.engine.submit(rig.prompt(rig.sizes.long), GenerateParams(max_tokens=1))
    async with aclosing(items):
        waiting = asyncio.ensure_future(anext(items))
        await asyncio.sleep(whole * CANCEL_AFTER)
        began = time.perf_counter()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    await rig.idle()
    return {"seconds to free cells": time.perf_counter() - began}


async def turns(rig: Rig) -> Figures:
    """Tokens computed per turn of a growing transcript, beyond the new ones."""
    transcript = rig.prompt(rig.sizes.prompt)
    computed: list[int] = []
    for _ in range(rig.sizes.turns):
        turn = await rig.run(transcript, TURN_TOKENS)
        computed.append(turn.computed)
        transcript = [*transcript, *turn.ids, *rig.prompt(rig.sizes.observation)]
    later = computed[1:]
    return {
        "tokens computed per turn beyond the new": max(later) - rig.sizes.observation,
        "tokens computed per turn": statistics.median(later),
    }


RATIO, SPEED = Target("ratio"), Target("tokens/s")
AGAINST_BARE = Target("ratio", 0.97)

SUITES: Mapping[str, Suite] = MappingProxyType(
    {
        "decode": Suite(decode, {"engine / bare": AGAINST_BARE, "engine": SPEED}),
        "prefill": Suite(prefill, {"engine / bare": AGAINST_BARE, "engine": SPEED}),
        "share": Suite(share, {"prompt tokens computed": Target("tokens", 16, "at most")}),
        "stall": Suite(
            stall,
            {
                "longest gap / normal gap": Target("ratio", GAP_STEPS, "at most"),
                "prefill speed beside a stream / alone": Target("ratio", STALLED_SPEED),
                "longest gap": Target("s"),
            },
        ),
        "cancel": Suite(cancel, {"seconds to free cells": Target("s", 0.25, "at most")}),
        "turns": Suite(
            turns,
            {
                "tokens computed per turn beyond the new": Target("tokens", 2, "at most"),
                "tokens computed per turn": Target("tokens"),
            },
        ),
    }
)
