"""One page before a model of its own: it points at passages and says in a line what they are worth.

What it points at is quoted from the page; only the two short lines are its own words.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_agent.agent.refine.passages import Passage
from edge_agent.agent.refine.sentences import sentences
from edge_agent.chat.messages import ChatRequest, Message
from edge_agent.engine.params import SamplingParams
from edge_agent.tools.untrusted.marks import MARK, suspicious

GREEDY = SamplingParams(temperature=0)
BACKGROUND = 1
MOST_POINTED = 8
RATIONAL_CHARS = 120
SUMMARY_CHARS = 200
MOST_SENTENCES = 2
ASKED_CHARS = 600  # of a question or a purpose; a task may be a whole letter
CONDENSE_TOKENS = 192
NOTHING = "nothing here"

SENTENCE_MARKS = ".!?…\"'”’)]。！？।؟۔"
NUMBER = re.compile(r"\d(?:[\d.,:/]*\d)?")
LINK = re.compile(r"\w+://|\bwww\.")
POINTED = re.compile(r'"relevant"\s*:\s*\[([\d,\s]*)')


@dataclass(frozen=True, slots=True)
class Condensed:
    """What the model made of a page: indices of passages, and its own two lines.

    The lines are empty where there is nothing to say, or where they said what the passages do not.
    """

    pointed: tuple[int, ...]
    rational: str = ""
    summary: str = ""


def condense_request(
    prompt: str, title: str, passages: Sequence[Passage], purpose: str, question: str
) -> ChatRequest:
    """The request of one page: background priority, no thoughts, bounded output.

    A passage is one line after its number, so that no text of a page can end the page.
    """
    lines = [_line(title), *(_numbered(i, one) for i, one in enumerate(passages, 1))]
    page = "\n".join(lines)
    text = prompt.format(
        question=_line(question)[:ASKED_CHARS],
        purpose=_line(purpose)[:ASKED_CHARS],
        passages=page,
        fence=f"=== page {hashlib.sha256((question + page).encode()).hexdigest()[:8]} ===",
    )
    return ChatRequest(
        (Message("user", text),),
        response_schema=_schema(len(passages)),
        sampling=GREEDY,
        max_tokens=CONDENSE_TOKENS,
        thinking=False,
        priority=BACKGROUND,
    )


def read_reply(reply: str, title: str, passages: Sequence[Passage]) -> Condensed:
    """What a reply says. All passages are pointed at when it was cut off before it could point."""
    wrote = _loads(reply)
    if wrote is None:
        cut = POINTED.search(reply)
        wrote = {"relevant": [int(n) for n in re.findall(r"\d+", cut[1])] if cut else None}
    numbers = wrote.get("relevant")
    if not isinstance(numbers, list):
        return Condensed(tuple(range(len(passages))))
    valid = [n - 1 for n in numbers if isinstance(n, int) and 1 <= n <= len(passages)]
    pointed = tuple(dict.fromkeys(valid))
    said = " ".join([title, *(f"{passages[i].context} {passages[i].text}" for i in pointed)])
    rational = (
        _literal(str(wrote.get("rational") or ""), said, 1, RATIONAL_CHARS) if pointed else ""
    )
    summary = (
        _literal(str(wrote.get("summary") or ""), said, MOST_SENTENCES, SUMMARY_CHARS)
        if pointed
        else ""
    )
    return Condensed(pointed, rational, summary)


def _literal(text: str, said: str, most: int, limit: int) -> str:
    """At most so many sentences, without those that name a number or a link the page does not."""
    if text.strip(" .").casefold() == NOTHING:
        return ""
    numbers = set(NUMBER.findall(said))
    line = _line(text)
    if line and len(text) >= limit and line[-1] not in SENTENCE_MARKS:
        line = f"{line.rpartition(' ')[0] or line}…"  # its limit cut it off
    whole = [line[start:end] for start, end in sentences(line)][:most]
    return " ".join(
        one for one in whole if not LINK.search(one) and numbers.issuperset(NUMBER.findall(one))
    )


def _numbered(number: int, passage: Passage) -> str:
    under = passage.context.rsplit(" > ", 1)[-1]
    words = _line(passage.text)
    mark = MARK if suspicious(words) else ""
    return f"[{number}] {f'({_line(under)}) ' if under else ''}{mark}{words}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _loads(reply: str) -> Mapping[str, object] | None:
    try:
        wrote = json.loads(reply)
    except ValueError:
        return None
    return wrote if isinstance(wrote, dict) else {}


def _schema(n: int) -> dict[str, object]:
    numbers = {"type": "integer", "minimum": 1, "maximum": n}
    properties = {
        "rational": {"type": "string", "maxLength": RATIONAL_CHARS},
        "relevant": {"type": "array", "items": numbers, "maxItems": MOST_POINTED},
        "summary": {"type": "string", "maxLength": SUMMARY_CHARS},
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
