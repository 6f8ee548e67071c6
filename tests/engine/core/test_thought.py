from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.chat.vocab import Vocab
from edge_agent.engine.core.thought import ThoughtMeter
from edge_agent.engine.params import SamplingParams, ThoughtLimit

from ..live import Bench, bench_of, chat

# llguidance reads a vocabulary through an old name
pytestmark = pytest.mark.filterwarnings("ignore:llama_token_get_attr:DeprecationWarning")

START, END = (10, 11), (20, 21, 22)
CLOSING = (5, 6, *END)
marker = st.lists(st.integers(0, 3), min_size=1, max_size=3).map(tuple)
written = st.lists(st.integers(0, 3), max_size=60)


def meter(
    budget: int | None, begun: bool = False, closing: tuple[int, ...] = CLOSING
) -> ThoughtMeter:
    return ThoughtMeter(ThoughtLimit(budget, START, END, closing, begun))


def counted(limit: ThoughtLimit, tokens: list[int]) -> tuple[int, bool]:
    """Tokens between markers, and whether a thought is open, by reading from left to right."""
    at, n, inside = 0, 0, limit.begun
    begin = 0  # of what was read since the last marker
    while at < len(tokens):
        at += 1
        mark = limit.end if inside else limit.start
        if tuple(tokens[begin:at])[-len(mark) :] == mark:
            n += at - begin - len(mark) if inside else 0
            inside, begin = not inside, at
    return n + (at - begin if inside else 0), inside


@given(st.builds(ThoughtLimit, st.none(), marker, marker, marker, st.booleans()), written)
def test_what_is_between_markers_is_counted(limit: ThoughtLimit, tokens: list[int]) -> None:
    thought = ThoughtMeter(limit)
    for token in tokens:
        thought.feed([token])
    assert (thought.n_thought, thought.inside) == counted(limit, tokens)


@given(
    st.builds(ThoughtLimit, st.none(), marker, marker, marker, st.booleans()), written, st.data()
)
def test_it_is_all_one_in_how_many_pieces_tokens_come(
    limit: ThoughtLimit, tokens: list[int], data: st.DataObject
) -> None:
    whole, pieces = ThoughtMeter(limit), ThoughtMeter(limit)
    cut = data.draw(st.integers(0, len(tokens)))
    whole.feed(tokens)
    pieces.feed(tokens[:cut])
    pieces.feed(tokens[cut:])
    assert (whole.n_thought, whole.inside) == (pieces.n_thought, pieces.inside)


def dues(thought: ThoughtMeter, tokens: Iterable[int]) -> list[bool]:
    """Whether a thought must be closed, before each of the tokens and after the last."""
    found = [thought.due]
    for token in tokens:
        thought.feed([token])
        found.append(thought.due)
    return found


@pytest.mark.parametrize("budget", [0, 1, 7])
def test_a_thought_is_due_exactly_at_its_budget(budget: int) -> None:
    thought = meter(budget)
    assert dues(thought, START)[:-1] == [False] * len(START)
    assert dues(thought, [7] * budget) == [False] * budget + [True]
    assert dues(thought, thought.closing)[-1] is False
    assert not thought.inside


def test_a_prompt_that_ends_in_a_thought_has_begun_it() -> None:
    assert dues(meter(2, begun=True), [7, 7]) == [False, False, True]


def test_a_thought_that_ends_by_itself_is_not_due_and_leaves_the_rest_to_the_next() -> None:
    thought = meter(5)
    assert not any(dues(thought, [*START, 7, 7, *END, 7, 7, 7, 7, *START]))
    assert thought.n_thought == 2
    assert dues(thought, [7, 7, 7]) == [False, False, False, True]


def test_without_a_budget_a_thought_is_due_only_when_it_is_told_to_stop() -> None:
    thought = meter(None)
    assert not any(dues(thought, [*START, *[7] * 1000]))
    assert thought.stop()
    assert dues(thought, [7]) == [True, True]


def test_told_to_stop_before_it_thinks_it_may_still_think() -> None:
    thought = meter(None)
    assert not thought.stop()
    assert not any(dues(thought, [*START, 7]))


# with a real model, which begins its answer inside a thought


@pytest.fixture(scope="module")
def vocab(smollm2_path: Path) -> Vocab:
    return Vocab.load(smollm2_path)


@pytest.fixture(scope="module")
def bench(smollm2_path: Path) -> Iterator[Bench]:
    with bench_of(smollm2_path, n_ctx=1024) as bench:
        yield bench


@pytest.fixture(scope="module")
def prompt(vocab: Vocab) -> list[int]:
    return chat(vocab, "Write about the sea.")


def limit_of(vocab: Vocab, budget: int | None, begun: bool = True, **ids: Any) -> ThoughtLimit:
    start, end = (tuple(vocab.encode(mark)) for mark in ("<think>", "</think>"))
    closing = (*vocab.encode(" That will do."), *end)
    assert len(end) > 1
    return ThoughtLimit(
        budget, **{"start": start, "end": end, "closing": closing, **ids}, begun=begun
    )


def text_of(vocab: Vocab, ids: list[int]) -> str:
    return b"".join(vocab.piece(id) for id in ids).decode(errors="replace")


@pytest.mark.parametrize("budget", [0, 1, 9])
def test_a_thought_of_a_model_is_closed_exactly_at_its_budget(
    bench: Bench, vocab: Vocab, prompt: list[int], budget: int
) -> None:
    limit = limit_of(vocab, budget)
    free = bench.generate(prompt, 20, ignore_eos=True)
    bound = bench.generate(prompt, budget + 30, ignore_eos=True, thought=limit)
    closed = budget + len(limit.closing)
    assert bound.ids[:budget] == free.ids[:budget]
    assert tuple(bound.ids[budget:closed]) == limit.closing
    assert len(bound.ids) == budget + 30  # and it goes on
    assert bound.finished.usage.forced_tokens == len(limit.closing)


def test_what_follows_a_thought_follows_from_all_of_it(
    bench: Bench, vocab: Vocab, prompt: list[int]
) -> None:
    limit = limit_of(vocab, 5)
    bound = bench.generate(prompt, 24, ignore_eos=True, thought=limit, speculate=False)
    closed = 5 + len(limit.closing)
    onward = bench.generate([*prompt, *bound.ids[:closed]], 24 - closed, ignore_eos=True)
    assert onward.ids[:3] == bound.ids[closed : closed + 3]


def test_a_thought_that_the_model_begins_is_counted_from_there(
    bench: Bench, vocab: Vocab, prompt: list[int]
) -> None:
    free = bench.generate(prompt, 20, ignore_eos=True).ids
    at = next(i for i in range(3, 15) if free[i] not in free[:i])
    limit = limit_of(vocab, 2, begun=False, start=(free[at],))
    bound = bench.generate(prompt, 40, ignore_eos=True, thought=limit).ids
    assert bound[: at + 3] == free[: at + 3]
    assert tuple(bound[at + 3 : at + 3 + len(limit.closing)]) == limit.closing


def test_a_limit_of_tokens_cuts_a_closing_too(
    bench: Bench, vocab: Vocab, prompt: list[int]
) -> None:
    limit = limit_of(vocab, 3)
    bound = bench.generate(prompt, 5, ignore_eos=True, thought=limit)
    assert tuple(bound.ids[3:]) == limit.closing[:2]
    assert bound.finished.reason == "length"


def test_a_running_thought_can_be_told_to_stop(
    bench: Bench, vocab: Vocab, prompt: list[int]
) -> None:
    limit = limit_of(vocab, None)
    id = bench.submit(prompt, 40, ignore_eos=True, thought=limit, speculate=False)
    written = bench.first(id)
    bench.run(lambda: len(written.ids) >= 6)
    n = len(written.ids)
    assert bench.engine.stop_thinking(id)
    bench.run()
    assert tuple(written.ids[n : n + len(limit.closing)]) == limit.closing
    assert len(written.ids) == 40
    assert not bench.engine.stop_thinking(id)


def test_who_does_not_think_cannot_be_told_to_stop(
    bench: Bench, vocab: Vocab, prompt: list[int]
) -> None:
    plain = bench.submit(prompt, 5)
    done = bench.submit(prompt, 40, thought=limit_of(vocab, 0), ignore_eos=True)
    bench.first(plain)
    bench.run(lambda: len(bench.written[done].get(0, bench.written[plain][0]).ids) > 20)
    assert not bench.engine.stop_thinking(plain)
    assert not bench.engine.stop_thinking(done)
    assert not bench.engine.stop_thinking(99)


def test_a_thought_told_to_stop_before_it_was_forked_is_stopped_in_every_continuation(
    bench: Bench, vocab: Vocab, prompt: list[int]
) -> None:
    limit = limit_of(vocab, None)
    sampling = SamplingParams(temperature=1, top_k=40, seed=1)
    id = bench.submit(prompt, 12, n=2, thought=limit, sampling=sampling, ignore_eos=True)
    assert bench.engine.stop_thinking(id)
    bench.run()
    for written in bench.written[id].values():
        assert tuple(written.ids[: len(limit.closing)]) == limit.closing


ANSWER = 'start: THOUGHT "</think>{\\"is the sea blue\\": " BOOL "}"\n'
ANSWER += 'THOUGHT: /[^<]*/\nBOOL: "true" | "false"\n'


@pytest.mark.parametrize("budget", [0, 4, 11])
def test_a_grammar_that_begins_after_the_thought_is_satisfied(
    bench: Bench, vocab: Vocab, prompt: list[int], budget: int
) -> None:
    limit = limit_of(vocab, budget)
    written = bench.generate(prompt, 80, thought=limit, grammar=ANSWER, ignore_eos=True)
    assert written.finished.reason == "stop"
    assert tuple(written.ids[budget : budget + len(limit.closing)]) == limit.closing
    thought, answer = text_of(vocab, written.ids).split("</think>")
    assert thought.endswith("That will do.")
    assert isinstance(json.loads(answer)["is the sea blue"], bool)
    assert written.finished.usage.forced_tokens > len(limit.closing)


def test_a_closing_that_the_grammar_does_not_allow_fails_that_request_only(
    bench: Bench, vocab: Vocab, prompt: list[int]
) -> None:
    id = bench.submit(prompt, 20, thought=limit_of(vocab, 2), grammar="start: /[a-z ]{30}/")
    other = bench.submit(prompt, 6, ignore_eos=True)
    bench.run()
    assert "does not allow" in str(bench.errors[id])
    assert len(bench.written[other][0].ids) == 6


def test_a_thought_that_ended_in_other_tokens_is_not_closed_a_second_time(
    bench: Bench, vocab: Vocab, prompt: list[int]
) -> None:
    other = tuple(id for part in ("</th", "ink>") for id in vocab.encode(part))
    assert other != tuple(vocab.encode("</think>"))
    limit = limit_of(vocab, 8, end=other, closing=other)
    grammar = 'start: "Yes</think>" /[ab]{12}/\n'
    written = bench.generate(prompt, 60, grammar=grammar, thought=limit)
    text = text_of(vocab, written.ids)
    assert text.startswith("Yes</think>") and text.count("</think>") == 1
    assert written.finished.reason == "stop"
