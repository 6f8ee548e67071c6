"""The order in which the window is folded."""

from __future__ import annotations

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.agent.memory.folding import View, least_worth, oldest
from edge_agent.agent.memory.items import Item, ItemKind
from edge_agent.agent.memory.transcript import Span, SpanKind

LENGTH = 10


def spans(*told: tuple[str, int] | tuple[str, int, int]) -> list[Span]:
    """Spans of ten tokens: (kind, turn) or ("fact", turn, number)."""
    made: list[Span] = []
    for at, (kind, turn, *fact) in enumerate(told):
        item = None
        if kind in get_args(ItemKind):
            item = Item(kind, f"{kind} {at}", fact[0] if fact else 0, "Page")  # type: ignore[arg-type]
        made.append(Span(kind, at * LENGTH, (at + 1) * LENGTH, turn, item))  # type: ignore[arg-type]
    return made


def view(all_spans: list[Span], turn: int = 9, **more: object) -> View:
    return View(turn, all_spans[-1].stop, **more)  # type: ignore[arg-type]


def order(all_spans: list[Span], seen: View) -> list[Span]:
    """What goes with each ten tokens more."""
    gone: list[Span] = []
    for need in range(LENGTH, len(all_spans) * LENGTH + 1, LENGTH):
        gone += [s for s in least_worth(all_spans, seen, need) if s not in gone]
    return gone


def test_repeats_go_first_then_nothings_results_dull_facts_thoughts_and_facts_by_worth() -> None:
    told = spans(
        ("system", 0), ("task", 0),
        ("thought", 1), ("turn", 1), ("results", 1), ("frame", 1),
        ("turn", 2), ("fact", 2, 1), ("fact", 2, 2), ("empty", 2), ("frame", 2),
        ("turn", 3), ("repeat", 3), ("frame", 3),
        ("turn", 8), ("fact", 8, 3), ("results", 8), ("frame", 8),
    )  # fmt: skip
    seen = view(told, worth={1: 4.0, 2: -1.0, 3: -0.5})
    kinds = [(s.kind, s.item.fact if s.item else 0) for s in order(told, seen)]
    assert kinds[:8] == [
        ("repeat", 0), ("empty", 0), ("results", 0), ("fact", 2), ("thought", 0), ("fact", 3),
        ("fact", 1), ("results", 0),
    ]  # fmt: skip
    assert {kind for kind, _ in kinds[8:]} == {"turn", "frame"}  # bare turns, whole


def test_of_a_fact_told_twice_the_older_copy_goes_though_it_is_marked() -> None:
    told = spans(("task", 0), ("fact", 1, 5), ("fact", 2, 6), ("fact", 3, 5))
    seen = view(told, marked=frozenset({5}))
    assert least_worth(told, seen, 1) == [told[1]]
    assert told[3] not in least_worth(told, seen, 999)
    again = view(told, marked=frozenset({5}), told=frozenset({5}))
    assert told[3] in least_worth(told, again, 999)


def test_the_answer_so_far_stays_until_there_is_another() -> None:
    told = spans(("task", 0), ("answer", 1), ("answer", 2))
    assert least_worth(told, view(told), 999) == [told[1]]
    assert set(least_worth(told, view(told, answered=True), 999)) == {told[1], told[2]}


def test_a_title_goes_with_the_last_of_its_facts() -> None:
    told = spans(("task", 0), ("title", 1), ("fact", 1, 1), ("fact", 1, 2))
    worth = {1: 0.0, 2: 1.0}
    assert least_worth(told, view(told, worth=worth), LENGTH) == [told[2]]
    assert told[1] in least_worth(told, view(told, worth=worth), LENGTH + 1)


def test_a_turn_with_a_marked_fact_stays() -> None:
    told = spans(("task", 0), ("turn", 1), ("fact", 1, 1), ("frame", 1), ("turn", 2), ("frame", 2))
    chosen = least_worth(told, view(told, marked=frozenset({1})), 999)
    assert chosen == told[4:]


def test_without_judgement_the_oldest_go() -> None:
    told = spans(("task", 0), ("fact", 1, 1), ("turn", 2), ("results", 2), ("repeat", 3))
    seen = view(told, marked=frozenset({1}), worth={1: 9.0})
    assert oldest(told, seen, 1) == [told[1]]
    assert oldest(told, seen, LENGTH + 1) == [told[1], told[3]]


KINDS = st.sampled_from([*get_args(ItemKind), "turn", "frame", "thought"])


@given(
    st.lists(st.tuples(KINDS, st.integers(1, 8), st.integers(1, 5)), min_size=1, max_size=30),
    st.sets(st.integers(1, 5)),
    st.integers(0, 400),
    st.booleans(),
)
def test_whatever_is_told_what_must_stay_stays(
    told: list[tuple[str, int, int]], marked: set[int], need: int, by_age: bool
) -> None:
    told.sort(key=lambda each: each[1])
    all_spans = spans(
        ("system", 0), ("task", 0), *(each if each[0] == "fact" else each[:2] for each in told)
    )
    seen = view(all_spans, marked=frozenset(marked))
    chosen = (oldest if by_age else least_worth)(all_spans, seen, need)
    assert len(set(chosen)) == len(chosen)
    left = [span for span in all_spans if span not in chosen]
    assert left[:2] == all_spans[:2]
    if by_age:
        return
    shown = {s.item.fact for s in all_spans if s.item and s.kind == "fact"}
    assert marked & shown <= {s.item.fact for s in left if s.item}
    answers = [s for s in all_spans if s.kind == "answer"]
    assert answers[-1:] == [s for s in left if s.kind == "answer"][-1:]
    may = [s for s in all_spans if s.kind in ("fact", "results", "empty", "repeat", "thought")]
    spare = [s for s in may if s in left and not (s.item and s.item.fact in marked)]
    assert sum(map(len, chosen)) >= need or not spare


def test_every_kind_of_item_is_a_kind_of_span() -> None:
    kinds = {name for part in get_args(SpanKind) for name in (get_args(part) or (part,))}
    assert set(get_args(ItemKind)) <= kinds
