"""What an answer may look like, as a JSON schema, where the question shows it clearly."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from edge_agent.agent.answer.question import Asked, Kind
from edge_agent.agent.answer.spans import dates, numbers, years
from edge_agent.agent.answer.wording import NOT_FOUND
from edge_agent.agent.refine.evidence import Fact

ANSWER_CHARS = 120
MOST_SPANS = 40  # more alternatives than this say little, and a grammar of them is slow to begin
PLACE = rf"^[^0-9*_#|<>]{{1,{ANSWER_CHARS}}}$"  # also without what stands in for a digit
SHAPED: frozenset[Kind] = frozenset({"yes_no", "choice", "year", "date", "number", "place"})


def shape(asked: Asked, facts: Sequence[Fact], shaped: Collection[Kind]) -> dict[str, object]:
    """The schema of a short answer: the alternatives that the question or the facts have, and
    "not found"; no number where a place is asked for; free text of bounded length where there are
    none, or the kind is not `shaped`."""
    if asked.kind == "place" and "place" in shaped:
        return {"type": "string", "pattern": PLACE}
    offered = _alternatives(asked, facts) if asked.kind in shaped else []
    if not offered or len(offered) > MOST_SPANS:
        return {"type": "string", "minLength": 1, "maxLength": ANSWER_CHARS}
    return {"type": "string", "enum": [*offered, NOT_FOUND]}


def _alternatives(asked: Asked, facts: Sequence[Fact]) -> list[str]:
    if asked.kind == "yes_no":
        return ["yes", "no"]
    if asked.kind == "choice":
        return list(asked.choices)
    if (asked.kind == "number" and asked.computed) or asked.recurs:
        return []
    read = {"year": years, "date": dates, "number": numbers}.get(asked.kind)
    texts = [fact.passage.text for fact in facts]
    return list(dict.fromkeys(span for text in texts for span in read(text))) if read else []
