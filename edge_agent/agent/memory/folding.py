"""What is folded first, and what never is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edge_agent.agent.memory.transcript import Span

AGE_COST = 0.25  # of a fact's worth (a sum of z-scores), for each turn since it was told
YOUNG_TURNS = 2  # what is younger goes later than what is as good and older
YOUNG_WORTH = 2.0  # added to the worth of a young fact
# what goes first has the lowest place
PLACES = {"folded": 0, "repeat": 1, "empty": 2, "nudge": 2, "answer": 2, "results": 3, "fact": 4}
COPY, THOUGHT, WORTHY, YOUNG = 1, 5, 6, 7
OBSERVED = frozenset({*PLACES, "title"})


@dataclass(frozen=True, slots=True)
class View:
    """What folding goes by.

    turn: the newest, whose replies are not in the prompt yet. length: of the prompt; what stands
    behind it cannot be cut. marked: facts that must stay. told: facts that the newest replies hold.
    answered: they hold an answer so far. worth: of each fact, higher is better.
    """

    turn: int
    length: int
    marked: frozenset[int] = frozenset()
    told: frozenset[int] = frozenset()
    answered: bool = False
    worth: Mapping[int, float] = field(default_factory=dict)


def least_worth(spans: Sequence[Span], view: View, need: int) -> list[Span]:
    """The spans to fold so that at least `need` tokens go, or as many as may.

    In this order: what was folded before; repeats and copies; what gave nothing; old search
    results; facts worth less than nothing; old thoughts; the other facts by worth; the results and
    thoughts of the last turn; and old turns that hold nothing any more. Never the system prompt,
    the task, a marked fact, or the answer so far.
    """
    within = [span for span in spans if span.stop <= view.length]
    last = _last_copies(within, view)
    kept = {span for fact, span in last.items() if fact in view.marked}
    answers = [span for span in within if span.kind == "answer"]
    kept |= set() if view.answered else set(answers[-1:])
    copies = {s for s in within if s.kind == "fact" and s not in last.values()}
    may = [s for s in within if (s.kind in PLACES or s.kind == "thought") and s not in kept]
    may.sort(key=lambda span: _place(span, span in copies, view))
    return _enough(may, within, view, need)


def oldest(spans: Sequence[Span], view: View, need: int) -> list[Span]:
    """The same without any judgement: the oldest observations go, whatever they are."""
    within = [span for span in spans if span.stop <= view.length]
    return _enough([s for s in within if s.kind in OBSERVED], within, view, need)


def _last_copies(spans: Sequence[Span], view: View) -> dict[int, Span]:
    """Where each fact was told last; the newest replies may tell it again."""
    last = {s.item.fact: s for s in spans if s.item is not None and s.kind == "fact"}
    return {fact: span for fact, span in last.items() if fact not in view.told}


def _place(span: Span, is_copy: bool, view: View) -> tuple[int, float, int]:
    if is_copy:
        return COPY, 0.0, span.start
    age = view.turn - span.turn
    young = age < YOUNG_TURNS
    if span.kind == "fact" and span.item is not None:
        worth = view.worth.get(span.item.fact, 0.0) - AGE_COST * age + YOUNG_WORTH * young
        return PLACES["fact"] if worth < 0 else WORTHY, worth, span.start
    place = THOUGHT if span.kind == "thought" else PLACES[span.kind]
    later = young and place >= PLACES["results"]
    return place + YOUNG * later, 0.0, span.start


def _enough(order: Sequence[Span], spans: Sequence[Span], view: View, need: int) -> list[Span]:
    """The first of the order that free enough, the titles over nothing, and then whole turns."""
    freed, chosen = 0, list[Span]()
    for span in order:
        if freed < need or span.kind == "folded":
            chosen.append(span)
            freed += len(span)
    chosen += _bare_titles(spans, chosen)
    for turn in range(1, view.turn - YOUNG_TURNS + 1):
        if sum(map(len, chosen)) < need:
            chosen += _rest_of(turn, spans, chosen)
    return chosen


def _bare_titles(spans: Sequence[Span], chosen: Sequence[Span]) -> list[Span]:
    """Titles that were told and whose facts are all chosen."""
    gone = {*chosen}
    left = {(s.turn, s.item.title) for s in spans if s.item and s.kind == "fact" and s not in gone}
    return [
        s
        for s in spans
        if s.item and s.kind == "title" and s not in gone and (s.turn, s.item.title) not in left
    ]


def _rest_of(turn: int, spans: Sequence[Span], chosen: Sequence[Span]) -> list[Span]:
    """What is left of a turn, when nothing of it has to stay."""
    gone = {*chosen}
    rest = [span for span in spans if span.turn == turn and span not in gone]
    return rest if all(span.kind in ("turn", "frame") for span in rest) else []
