"""What folding a transcript costs, and what it does to answers: prune, re-prefill, or dropping.

    .venv/bin/python benchmarks/fold_effect.py MODEL.gguf [--transcripts N] [--threads N] [--json]
    .venv/bin/python benchmarks/fold_effect.py MODEL.gguf --turns 12 [--window 2048] [--json]

The first form tells made-up facts over the turns of a transcript (own text, seeded), folds a third
of them, and asks for facts that were told early, in the middle and late, in the same transcript. By
"prune" and "prefill" the third is facts that nobody asks for; "drop" forgets the oldest third, as
the memory does when it does not judge. "whole" folds nothing. An answer is right when it holds the
expected name and no other of the transcript. seconds: from the fold to the end of the first answer.

The second form lets the memory of an agent keep a window over so many turns of new facts, and
counts the prompt tokens that were computed a second time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_agent.agent.memory.items import Item, observed
from edge_agent.agent.memory.memory import Memory, Policy, Way
from edge_agent.agent.memory.transcript import Span, Transcript
from edge_agent.agent.records import Note
from edge_agent.agent.refine.evidence import Evidence, as_text
from edge_agent.agent.refine.passages import Passage
from edge_agent.agent.refine.ranker import Ranker
from edge_agent.chat.messages import ChatRequest, Completion, Done, Message
from edge_agent.chat.model import ChatModel
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.vocab import Vocab
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import LoadSpec, SamplingParams, Usage
from edge_agent.tools.base import Page

N_FACTS, PER_TURN, ASKED_PER_THIRD, ANSWER_TOKENS = 24, 3, 3, 24
WAYS: tuple[Way, ...] = ("prune", "prefill", "drop")
PLACES = ("early", "middle", "late")
FIRST = (
    "Ada Bela Cosi Dorn Edda Falk Gesa Hal Ines Jorl Kaia Lund Mava Nils Orla Pell Runa Siv Tove "
)
LAST = (
    "Adder Brask Cray Dunmore Ekholt Farrow Grell Hask Ivern Jessop Krall Lorne Marl Nesk Ott Pyke "
)
TOWN = (
    "Ostrey Velm Marnholt Corrin Dask Ebbing Fenwick Garrow Hulme Isker Jarrow Kelso Lund Morrow "
)
MADE = ("pier", "bell tower", "lighthouse", "mill", "bridge", "chapel", "granary", "lock")
SYSTEM = "You answer questions from the facts you are told, with the name alone."


@dataclass(frozen=True, slots=True)
class Told:
    """A made-up fact: who built what where."""

    line: str
    thing: str
    name: str


@dataclass(slots=True)
class Score:
    """What came of one way to fold."""

    right: dict[str, list[bool]] = field(default_factory=lambda: {place: [] for place in PLACES})
    computed: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        every = [each for place in PLACES for each in self.right[place]]
        return {
            "right": {place: _mean(self.right[place]) for place in PLACES} | {"all": _mean(every)},
            "n": len(every),
            "tokens": _mean(self.computed),
            "seconds": _mean(self.seconds),
        }


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 3) if values else 0.0


@asynccontextmanager
async def model_at(path: Path, n_ctx: int, threads: int) -> AsyncIterator[tuple[ChatModel, Vocab]]:
    """A chat over an engine of its own."""
    engine = EngineClient(LoadSpec(str(path), n_ctx, 256, 2, threads), notice=_say)
    await engine.start()
    try:
        vocab = Vocab.load(path)
        template = ChatTemplate.of(vocab)
        greedy = SamplingParams(temperature=0)
        yield ChatModel(path.stem, vocab, engine, template, n_ctx, greedy), vocab
    finally:
        await engine.close()


# what a third of a transcript is worth


def facts_of(draw: random.Random) -> list[Told]:
    """Facts with names and things that come once."""
    things = [(made, town) for made in MADE for town in TOWN.split()]
    firsts = draw.choices(FIRST.split(), k=N_FACTS)
    lasts = draw.sample([a + b for a in LAST.split() for b in ("", "son", "er")], N_FACTS)
    facts = []
    for (made, town), first, last in zip(draw.sample(things, N_FACTS), firsts, lasts, strict=True):
        thing, name, year = f"the {made} of {town}", f"{first} {last}", draw.randrange(1700, 1900)
        line = f"In {year} {thing} was built by {name}, who was paid {year % 97 + 20} silver marks."
        facts.append(Told(line, thing, name))
    return facts


def transcript_of(model: ChatModel, vocab: Vocab, facts: Sequence[Told]) -> Transcript:
    """A few facts a turn, as answers to turns the model might have written."""
    transcript = Transcript(model)
    opening = (Message("system", SYSTEM), Message("user", "I shall tell you facts, then ask."))
    request = ChatRequest(opening, max_tokens=ANSWER_TOKENS)
    transcript.start(request)
    for at in range(0, len(facts), PER_TURN):
        said = "I have read these. Tell me more." if at else "Tell me the facts."
        lines = [f"[{at + i + 1}] {f.line}" for i, f in enumerate(facts[at : at + PER_TURN])]
        items = [Item("fact", line, at + i + 1) for i, line in enumerate(lines)]
        ids = tuple(vocab.encode(said))
        done = Done("stop", Usage(), ids)
        reply = Message("user", "\n".join(["Facts:", *lines]))
        transcript.add(Completion(said, "", (), done), (reply,), items)
        transcript.go_on(request)
    return transcript


async def ask(
    model: ChatModel, vocab: Vocab, transcript: Transcript, fact: Told, others: Iterable[Told]
) -> tuple[bool, Usage]:
    """Whether the model answers a question at the end of the transcript."""
    prompt = transcript.prompt
    assert prompt is not None
    done = Done("stop", Usage(), tuple(vocab.encode("I have read these. Ask me.")))
    question = Message("user", f"Who built {fact.thing}? Write the name alone.")
    request = ChatRequest((), max_tokens=ANSWER_TOKENS)
    said = await model.complete(
        model.extend(prompt, Completion("", "", (), done), (question,), request)
    )
    wrong = any(other.name in said.text for other in others if other is not fact)
    return fact.name in said.text and not wrong, said.done.usage


async def third(model: ChatModel, vocab: Vocab, seed: int, scores: dict[str, Score]) -> None:
    """Fold a third of one transcript in each way, and ask the same questions of each."""
    draw = random.Random(seed)
    facts = facts_of(draw)
    size = N_FACTS // 3
    asked = [
        fact for i in range(3) for fact in draw.sample(range(i * size, (i + 1) * size),
                                                       ASKED_PER_THIRD)
    ]  # fmt: skip
    spare = draw.sample([i for i in range(N_FACTS) if i not in asked], size)
    gone = {"whole": [], "prune": spare, "prefill": spare, "drop": list(range(size))}
    for way, numbers in gone.items():
        transcript = transcript_of(model, vocab, facts)
        score = scores[way]
        if way == "prune":  # what is moved must be in the cells
            await ask(model, vocab, transcript, facts[0], facts)
        began = time.perf_counter()
        await transcript.cut(_spans_of(transcript, numbers), move=way == "prune")
        for place, number in enumerate(asked):
            right, usage = await ask(model, vocab, transcript, facts[number], facts)
            score.right[PLACES[place // ASKED_PER_THIRD]].append(right)
            if place == 0:
                score.computed.append(usage.prompt_tokens - usage.cached_tokens)
                score.seconds.append(round(time.perf_counter() - began, 3))


def _spans_of(transcript: Transcript, numbers: Sequence[int]) -> list[Span]:
    wanted = {number + 1 for number in numbers}
    found = [s for s in transcript.spans if s.item is not None and s.item.fact in wanted]
    assert len(found) == len(wanted), "every fact is found in its prompt"
    return found


async def effect(path: Path, transcripts: int, seed: int, threads: int) -> dict[str, Any]:
    scores = {way: Score() for way in ("whole", *WAYS)}
    async with model_at(path, 4096, threads) as (model, vocab):
        for i in range(transcripts):
            await third(model, vocab, seed + i, scores)
    return {"model": path.stem, "ways": {way: score.as_json() for way, score in scores.items()}}


# what a window costs over many turns


async def window(path: Path, turns: int, n_ctx: int, threads: int) -> dict[str, Any]:
    """Prompt tokens computed again by each way."""
    rows = {}
    for way in WAYS:
        async with model_at(path, n_ctx, threads) as (model, _):
            rows[way] = await _kept(model, way, turns)
    return {"model": path.stem, "window": n_ctx, "turns": turns, "ways": rows}


async def _kept(model: ChatModel, way: Way, turns: int) -> dict[str, Any]:
    draw = random.Random(0)
    evidence = Evidence()
    facts = [fact for _ in range(turns) for fact in facts_of(draw)[:8]]
    policy = Policy(way, turn_tokens=ANSWER_TOKENS, recalls=True)
    memory = Memory(model, Ranker(None), f"Who built {facts[0].thing}?", evidence, policy)
    opening = (Message("system", SYSTEM), Message("user", f"Who built {facts[0].thing}?"))
    computed, again, lengths = [], [], []
    began = time.perf_counter()
    for turn in range(turns):
        prompt = await memory.next_prompt(lambda notes: _asked(opening, notes))
        before = memory.reprefilled_tokens
        said = await model.complete(prompt)
        note = _note(evidence, turn, facts[turn * 8 : turn * 8 + 8])
        memory.add(said, (Message("user", note.text),), observed("", [note]))
        usage = said.done.usage
        computed.append(usage.prompt_tokens - usage.cached_tokens)
        again.append(memory.reprefilled_tokens - before)
        lengths.append(usage.prompt_tokens)
    return {
        "folds": memory.folds,
        "prompt": lengths,
        "computed": computed,
        "again": again,
        "again_a_turn": _mean(again),
        "seconds": round(time.perf_counter() - began, 1),
    }


def _asked(opening: tuple[Message, ...], notes: str) -> ChatRequest:
    known = (*opening, Message("user", f"Facts:\n{notes}")) if notes else opening
    return ChatRequest(known, max_tokens=ANSWER_TOKENS)


def _note(evidence: Evidence, turn: int, facts: Sequence[Told]) -> Note:
    text = " ".join(fact.line for fact in facts)
    page = Page(f"page:{turn}", f"Page {turn}", text, "text/plain", "made", "")
    kept = evidence.add(page, [Passage(i, fact.line, "") for i, fact in enumerate(facts)])
    return Note(page.source, page.url, page.title, as_text(kept))


# telling


def table_of(result: dict[str, Any]) -> str:
    if "turns" in result:
        lines = [
            "| way | folds | computed again a turn | by turn | seconds |",
            "|---|---|---|---|---|",
        ]
        for way, row in result["ways"].items():
            by_turn = ", ".join(map(str, row["again"]))
            cells = (way, row["folds"], row["again_a_turn"], by_turn, row["seconds"])
            lines.append("| " + " | ".join(map(str, cells)) + " |")
        return "\n".join(lines)
    lines = [
        "| folded by | right | early | middle | late | n | prompt tokens computed | seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for way, row in result["ways"].items():
        right = row["right"]
        shares = (f"{right[place]:.2f}" for place in ("all", *PLACES))
        cells = (way, *shares, row["n"], f"{row['tokens']:.0f}", f"{row['seconds']:.2f}")
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--transcripts", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--turns", type=int, default=0)
    parser.add_argument("--window", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    work = (
        window(args.model, args.turns, args.window, args.threads)
        if args.turns
        else effect(args.model, args.transcripts, args.seed, args.threads)
    )
    result = asyncio.run(work)
    print(json.dumps(result) if args.json else table_of(result))


if __name__ == "__main__":
    main()
