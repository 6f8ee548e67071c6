"""`constrained` and `lookup`: tokens that need not be sampled one by one."""

from __future__ import annotations

from typing import Any

from edge_agent.bench.lacking import Lacking
from edge_agent.bench.report import Target
from edge_agent.bench.rig import Rig, run
from edge_agent.bench.stream import Stream
from edge_agent.bench.subject import Ask, Subject
from edge_agent.bench.suite import INSIDE, Figure, Samples, Suite

CALL: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"const": "search_library"},
        "arguments": {
            "type": "object",
            "properties": {
                "query": {"type": "string", "minLength": 8, "maxLength": 40},
                "language": {"enum": ["english", "german", "french"]},
                "max_results": {"type": "integer", "minimum": 1, "maximum": 20},
                "include_summary": {"type": "boolean"},
            },
            "required": ["query", "language", "max_results", "include_summary"],
            "additionalProperties": False,
        },
    },
    "required": ["name", "arguments"],
    "additionalProperties": False,
    "x-guidance": {"whitespace_flexible": False},
}
CALL_TOKENS = 96
FREE_TEMPERATURE = 1.0  # what is drawn at random repeats itself little


async def constrained(rig: Rig) -> Samples:
    """Tokens per second of a tool call under a schema, over those of free text."""
    subject = await rig.subject()
    await _call(rig, subject)  # the first grammar of an engine also builds its tokenizer
    ratios = []
    for _ in range(rig.sizes.asked):
        called, free = await rig.both(lambda: _call(rig, subject), lambda: _free(rig, subject))
        ratios.append(called.speed_of_all / free.speed_of_all)
    return {"tool call / free text": ratios}


def _question(rig: Rig) -> str:
    return (
        f"Call the tool search_library to find out what is known about{rig.words.draw(4)}. "
        "Answer with one JSON object:\n"
    )


async def _call(rig: Rig, subject: Subject) -> Stream:
    return await run(subject, Ask(subject.text(_question(rig)), CALL_TOKENS, schema=CALL))


async def _free(rig: Rig, subject: Subject) -> Stream:
    return await run(subject, Ask(subject.text(_question(rig)), rig.sizes.decoded))


async def lookup(rig: Rig) -> Samples:
    """Tokens per second with drafts over without: quoting a text, and writing freely."""
    if rig.contender.kind == "peer":
        raise Lacking(
            "is not asked: whether it drafts is a setting of the server, not of a request"
        )
    subject = await rig.subject()
    quoting = [await _with_and_without(rig, subject, _quote(rig)) for _ in range(rig.sizes.asked)]
    free = [
        await _with_and_without(rig, subject, _story(rig), FREE_TEMPERATURE, seed=i)
        for i in range(rig.sizes.asked)
    ]
    drafted = sum(stream.drafted_tokens for stream, _ in quoting)
    if not drafted:
        raise Lacking("drafts no tokens")
    accepted = sum(stream.accepted_tokens for stream, _ in quoting)
    return {
        "quoting, with drafts / without": _ratios(quoting),
        "writing freely, with / without": _ratios(free),
        "quoting, drafts accepted": [accepted / drafted],
    }


def _ratios(pairs: list[tuple[Stream, Stream]]) -> list[float]:
    return [drafting.speed / plain.speed for drafting, plain in pairs]


async def _with_and_without(
    rig: Rig, subject: Subject, text: str, temperature: float = 0.0, seed: int = 0
) -> tuple[Stream, Stream]:
    prompt, n = subject.text(text), rig.sizes.quoted
    return await rig.both(
        lambda: run(subject, Ask(prompt, n, temperature=temperature, seed=seed, speculate=None)),
        lambda: run(subject, Ask(prompt, n, temperature=temperature, seed=seed)),
    )


def _quote(rig: Rig) -> str:
    lines = rig.words.report(rig.sizes.lines)
    text = "\n".join(lines)
    return f"{text}\n\nThe same text once more, word for word:\n\n{lines[0]}\n"


def _story(rig: Rig) -> str:
    return f"A long story about{rig.words.draw(6)}, with a surprising end:\n\n"


CONSTRAINED = Suite(constrained, {"tool call / free text": Figure(Target("ratio", 1.1))})
LOOKUP = Suite(
    lookup,
    {
        "with drafts / without": Figure(Target("ratio", 1.4)),
        "with / without": Figure(Target("ratio", 0.97)),
        "drafts accepted": Figure(Target("ratio")),
    },
    INSIDE,
)
