"""What the soak asks of an engine: requests with an answer to compare, and disturbances."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from edge_agent.chat.vocab import Vocabulary
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import (
    Edited,
    Finished,
    GenerateParams,
    Park,
    Prune,
    Resume,
    Rollback,
    SamplingParams,
    ThoughtLimit,
    TokenLogprobs,
)
from edge_agent.errors import EdgeAgentError, RequestError

GREEDY = SamplingParams(temperature=0)
TOP = 5  # likeliest tokens that are kept of each position, to see ties
NO_VAULT = 60  # tokens: a prompt this short is never brought back from outside the cells
WORDS = (
    "amber", "basket", "candle", "dune", "ember", "ferry", "garden", "harbor", "island", "jetty",
    "kettle", "lantern", "meadow", "night", "orchard", "pebble", "quarry", "river", "saddle",
    "timber", "umbrella", "valley", "willow", "yarn", "zephyr",
)  # fmt: skip
ASKS = (
    "Tell a short story about the {0} and the {1}.",
    "What is a {0} good for, and who needs a {1}?",
    "Write a letter to the keeper of the {0}.",
    "Count the {0}s near the {1}, one by one.",
    "Explain to a child how a {0} and a {1} differ.",
)
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
JSON_GRAMMAR = f"start: %json {json.dumps(PERSON)}"
CALL_GRAMMAR = 'start: "<call>{\\"tool\\": \\"search\\", \\"query\\": \\"" /[a-z ]{3,24}/ "\\"}"'


@dataclass(slots=True)
class Answer:
    """What one request gave, by continuation."""

    ids: list[list[int]]
    logprobs: list[list[TokenLogprobs]]
    reasons: list[str]
    cached: int = 0


@dataclass(frozen=True, slots=True)
class Probe:
    """A request whose answer is known from when it was alone.

    exact: alone and on empty cells it gives the same bits again. greedy: it takes the likeliest
    token of all, so that a different one must have been about as likely.
    """

    kind: str
    prompt: tuple[int, ...]
    params: GenerateParams
    exact: bool = True
    greedy: bool = True


@dataclass(slots=True)
class Tally:
    """What has been seen so far."""

    kinds: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    compared: int = 0
    identical: int = 0
    drifts: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)

    def saw(self, kind: str) -> None:
        self.kinds[kind] = self.kinds.get(kind, 0) + 1

    def compare(self, what: str, alone: Answer, other: Answer, greedy: bool, limit: float) -> None:
        """Note how far `other` is from `alone`, and a problem where it is further than `limit`."""
        self.compared += 1
        self.identical += alone.ids == other.ids
        drift, gap = apart(alone, other, greedy)
        self.drifts.append(drift)
        self.gaps += [gap] if gap is not None else []
        for name, nats in (("drift", drift), ("gap", gap or 0.0)):
            if nats > limit:
                self.problems.append(f"{what}: {name} of {nats:.3g} nats from when it was alone")


def apart(alone: Answer, other: Answer, greedy: bool) -> tuple[float, float | None]:
    """(drift, gap) in nats, the largest over the continuations.

    Drift: of the logprob of a token behind the same tokens. Gap: between the first different tokens
    as they were alone (at least so much, where the other was none of the likeliest); None when
    there is none, or the choice was not that of the likeliest.
    """
    drift, gaps = 0.0, []
    for mine, theirs in zip(alone.logprobs, other.logprobs, strict=True):
        for a, b in zip(mine, theirs, strict=False):
            if a.id != b.id:
                gaps.append(a.logprob - dict(a.top).get(b.id, a.top[-1][1]))
                break
            drift = max(drift, abs(a.logprob - b.logprob))
    return drift, max(gaps) if gaps and greedy else None


async def collect(engine: EngineClient, prompt: Sequence[int], params: GenerateParams) -> Answer:
    """A request from submit to its end; closing the task cancels it."""
    answer = Answer([[] for _ in range(params.n)], [[] for _ in range(params.n)], [""] * params.n)
    async with aclosing(engine.submit(prompt, params)) as items:
        async for item in items:
            if isinstance(item, Finished):
                answer.reasons[item.index] = item.reason
                if item.index == 0:  # the others share its prompt
                    answer.cached = item.usage.cached_tokens
            else:
                answer.ids[item.index] += item.ids
                answer.logprobs[item.index] += item.logprobs
    return answer


@dataclass(frozen=True, slots=True)
class Scene:
    """What a disturbance needs."""

    engine: EngineClient
    vocab: Vocabulary
    draw: random.Random
    tally: Tally
    limit: float

    @property
    def n_ctx(self) -> int:
        return self.engine.info.n_ctx

    def text(self, n_words: int) -> list[int]:
        return self.vocab.encode(" ".join(self.draw.choices(WORDS, k=n_words)))

    def prompt(self, n_tokens: int) -> list[int]:
        """Words that no other prompt begins with."""
        return [self.draw.randrange(300, self.engine.info.n_vocab // 2), *self.text(n_tokens)][
            :n_tokens
        ]


def probes(vocab: Vocabulary, n: int, seed: int) -> list[Probe]:
    """The same for the same seed; each begins with a token of its own, so that none helps another.

    Exact are all but those that guess, because how much is guessed follows the clock.
    """
    draw = random.Random(seed)
    kinds = list(_KINDS)
    return [_probe(vocab, kinds[i % len(kinds)], i, draw) for i in range(n)]


def _probe(vocab: Vocabulary, kind: str, index: int, draw: random.Random) -> Probe:
    ask = draw.choice(ASKS).format(*draw.sample(WORDS, 2))
    ids = vocab.encode(f"<|im_start|>user\n{ask}<|im_end|>\n<|im_start|>assistant\n")
    prompt = (1000 + index, *ids)
    base = GenerateParams(
        GREEDY, max_tokens=draw.randint(6, 14), ignore_eos=True, n_logprobs=TOP, speculate=False
    )
    seed = draw.randrange(10_000)
    hot = SamplingParams(temperature=0.9, top_p=0.95, min_p=0.02, seed=seed)
    return _KINDS[kind](Probe(kind, prompt[-NO_VAULT:], base), hot)


_KINDS: dict[str, Callable[[Probe, SamplingParams], Probe]] = {
    "greedy": lambda probe, hot: probe,
    "sampled": lambda probe, hot: _with(probe, False, sampling=hot),
    "json": lambda probe, hot: _with(
        probe, False, grammar=JSON_GRAMMAR, max_tokens=30, ignore_eos=False
    ),
    "fork": lambda probe, hot: _with(probe, True, n=2),
    "penalties": lambda probe, hot: _with(
        probe,
        False,
        sampling=SamplingParams(temperature=0, repeat_penalty=1.3, frequency_penalty=0.4),
    ),
    "call": lambda probe, hot: _with(
        probe, False, grammar=CALL_GRAMMAR, max_tokens=30, ignore_eos=False
    ),
    "sampled fork": lambda probe, hot: _with(probe, False, n=3, sampling=hot),
    "background": lambda probe, hot: _with(probe, True, priority=1),
    "thought": lambda probe, hot: _with(
        probe, True, thought=ThoughtLimit(5, (7, 8), (9, 10), (11, 9, 10), begun=True)
    ),
    "guessed": lambda probe, hot: replace(
        _with(probe, True, speculate=None, max_tokens=24), exact=False
    ),
}


def _with(probe: Probe, greedy: bool, **changes: object) -> Probe:
    params = replace(probe.params, **changes)  # type: ignore[arg-type]
    return replace(probe, params=params, greedy=greedy)


# disturbances

Disturb: TypeAlias = Callable[[Scene], Awaitable[None]]


async def cancel_prefill(scene: Scene) -> None:
    """Gone before its first token, most often."""
    prompt = scene.prompt(scene.draw.randint(scene.n_ctx // 4, scene.n_ctx * 3 // 4))
    params = GenerateParams(GREEDY, priority=scene.draw.randint(0, 1))
    await _give_up(scene, prompt, params, scene.draw.random() * 0.3)


async def cancel_decode(scene: Scene) -> None:
    """Gone after some tokens, of one continuation or several."""
    params = GenerateParams(GREEDY, n=scene.draw.randint(1, 3), ignore_eos=True)
    grammar = JSON_GRAMMAR if scene.draw.random() < 0.2 else None
    left = scene.draw.randint(1, 12)
    prompt = scene.prompt(scene.draw.randint(4, 60))
    async with aclosing(scene.engine.submit(prompt, replace(params, grammar=grammar))) as items:
        async for _ in items:
            left -= 1
            if left <= 0:
                return


async def _give_up(
    scene: Scene, prompt: Sequence[int], params: GenerateParams, after_s: float
) -> None:
    task = asyncio.ensure_future(collect(scene.engine, prompt, params))
    await asyncio.wait({task}, timeout=after_s)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def large(scene: Scene) -> None:
    """Most of the window, so that others are evicted and sent back to wait."""
    n = scene.draw.randint(scene.n_ctx // 2, scene.n_ctx - 10)
    await _counted(scene, scene.prompt(n), GenerateParams(GREEDY, max_tokens=4, pin=0))


async def growing(scene: Scene) -> None:
    """A short prompt and a long answer."""
    params = GenerateParams(GREEDY, max_tokens=scene.n_ctx // 6, priority=scene.draw.randint(0, 1))
    await _counted(scene, scene.prompt(8), params)


async def pinned(scene: Scene) -> None:
    """A prefix that is to stay, beside others of the kind."""
    system = [1 + scene.draw.randrange(3), *scene.vocab.encode("You help. " * 25)]
    prompt = [*system, *scene.prompt(6)]
    await _counted(scene, prompt, GenerateParams(GREEDY, max_tokens=4, pin=len(system)))


async def _counted(scene: Scene, prompt: list[int], params: GenerateParams) -> None:
    params = replace(params, ignore_eos=True)
    answer = await collect(scene.engine, prompt, params)
    due = min(params.max_tokens or 0, scene.n_ctx - len(prompt))
    if len(answer.ids[0]) != due:
        scene.tally.problems.append(f"{len(answer.ids[0])} tokens came where {due} were due")


async def refused(scene: Scene) -> None:
    """What the engine cannot do."""
    prompt, params = scene.prompt(5), GenerateParams(GREEDY, max_tokens=4)
    wrong = [
        (prompt * scene.n_ctx, params),
        (prompt, replace(params, grammar="start: undefined_rule")),
        (prompt, replace(params, n=1000)),
        ([scene.engine.info.n_vocab], params),
    ]
    try:
        await collect(scene.engine, *scene.draw.choice(wrong))
    except RequestError:
        return
    scene.tally.problems.append("a request that cannot be carried out was not refused")


async def told_to_stop(scene: Scene) -> None:
    """A thought without a budget that is closed from outside."""
    name = f"thinker-{scene.draw.random()}"
    limit = ThoughtLimit(None, (7, 8), (9, 10), (11, 9, 10), begun=True)
    params = GenerateParams(GREEDY, max_tokens=48, ignore_eos=True, thought=limit, name=name)
    ids: list[int] = []
    stopped = False
    async with aclosing(scene.engine.submit(scene.prompt(12), params)) as items:
        async for item in items:
            if not isinstance(item, Finished):
                stopped = stopped or await scene.engine.stop_thinking(name)
                ids += item.ids
    closed = any((a, b, c) == limit.closing for a, b, c in zip(ids, ids[1:], ids[2:], strict=False))
    if stopped and not closed:
        scene.tally.problems.append("a thought that was stopped was not closed")


async def edited(scene: Scene) -> None:
    """A transcript is continued, edited, and continued again."""
    transcript = scene.prompt(scene.draw.randint(30, 90))
    params = GenerateParams(GREEDY, max_tokens=6, ignore_eos=True, n_logprobs=TOP)
    first = await collect(scene.engine, transcript, params)
    ids = (*transcript, *first.ids[0])
    start, stop = sorted(scene.draw.sample(range(len(ids)), 2))
    how = scene.draw.choice(("rollback", "prune", "park"))
    scene.tally.saw(how)
    if how == "prune":
        done = await scene.engine.edit(Prune(ids, start, stop))
        kept = ids[:start] + ids[stop:]
        await _counted(scene, list(kept), replace(params, accept_pruned=True))
    else:
        done = await (_parked(scene, ids) if how == "park" else _rolled_back(scene, ids, start))
        again = await collect(scene.engine, transcript, params)
        scene.tally.compare(f"a transcript after {how}", first, again, True, scene.limit)
    if not 0 <= done.exact <= done.held <= len(ids):
        scene.tally.problems.append(f"{done} of {len(ids)} tokens cannot be")


async def _rolled_back(scene: Scene, ids: tuple[int, ...], length: int) -> Edited:
    return await scene.engine.edit(Rollback(ids, length))


async def _parked(scene: Scene, ids: tuple[int, ...]) -> Edited:
    name = f"parked-{scene.draw.random()}"
    parked = await scene.engine.edit(Park(name, ids))
    await asyncio.sleep(scene.draw.random() * 0.2)
    # where others took the cells first there was nothing to park, and there is no such name
    return await scene.engine.edit(Resume(name)) if parked.held else parked


DISTURBANCES: dict[str, tuple[Disturb, int]] = {
    "cancel in prefill": (cancel_prefill, 10),
    "cancel in decode": (cancel_decode, 10),
    "large": (large, 5),
    "growing": (growing, 6),
    "pinned": (pinned, 6),
    "refused": (refused, 6),
    "told to stop": (told_to_stop, 4),
    "edited": (edited, 14),
}


async def disturb(kind: str, scene: Scene) -> None:
    """One of DISTURBANCES; an error that it does not expect is a problem."""
    scene.tally.saw(kind)
    try:
        await DISTURBANCES[kind][0](scene)
    except EdgeAgentError as error:
        scene.tally.problems.append(f"{kind}: {type(error).__name__}: {error}")
