"""What is written: its logprobs, its limits, its count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.chat.vocab import Vocab
from edge_agent.engine.core.writer import logprobs_of
from edge_agent.engine.params import SamplingParams, ThoughtLimit

from ..fakes import drafts_never_pay, drafts_pay
from ..live import Bench, Written, bench_of, chat, desk_of, log_softmax

# llguidance reads a vocabulary through an old name
pytestmark = pytest.mark.filterwarnings("ignore:llama_token_get_attr:DeprecationWarning")

logit = st.floats(-50, 50, width=32)


@given(st.lists(logit, min_size=3, max_size=40), st.integers(0, 3), st.data())
def test_logprobs_are_the_log_softmax_and_the_likeliest_come_first(
    values: list[float], n_top: int, data: st.DataObject
) -> None:
    logits = np.array(values, np.float32)
    token = data.draw(st.integers(0, len(values) - 1))
    found, expected = logprobs_of(logits, token, n_top), log_softmax(logits)
    assert found.id == token
    assert found.logprob == pytest.approx(expected[token], abs=1e-4)
    chances = [chance for _, chance in found.top]
    assert chances == sorted(chances, reverse=True)
    assert chances == pytest.approx(sorted(expected)[::-1][:n_top], abs=1e-4)
    assert all(chance == pytest.approx(expected[id], abs=1e-4) for id, chance in found.top)
    assert len({id for id, _ in found.top}) == n_top


@pytest.fixture(scope="module")
def vocab(smollm2_path: Path) -> Vocab:
    return Vocab.load(smollm2_path)


@pytest.fixture(scope="module")
def bench(smollm2_path: Path) -> Iterator[Bench]:
    with bench_of(smollm2_path, drafts_never_pay(), n_ctx=256) as bench:
        yield bench


@pytest.fixture(scope="module")
def prompt(vocab: Vocab) -> list[int]:
    return chat(vocab, "Write about the sea.")


def raw(path: Path, prompt: list[int], ids: list[int]) -> list[np.ndarray[Any, Any]]:
    """Log-softmax at the position of each of `ids`, from a context of its own."""
    with desk_of(path) as desk:
        slot, _, logits = desk.ask(prompt)
        at = [log_softmax(logits)]
        for id in ids[:-1]:
            at.append(log_softmax(desk.feed(slot, [id])))
        return at


def matches(written: Written, expected: list[np.ndarray[Any, Any]], within: float) -> bool:
    assert [entry.id for entry in written.logprobs] == written.ids
    pairs = list(zip(written.logprobs, expected, strict=True))
    for entry, at in pairs:
        assert entry.logprob == pytest.approx(at[entry.id], abs=within)
        for id, chance in entry.top:
            assert chance == pytest.approx(at[id], abs=within)
    return bool(pairs)


SETTINGS = [
    SamplingParams(temperature=0),
    SamplingParams(temperature=0.7, top_k=5, top_p=0.9, min_p=0.05, seed=3),
    SamplingParams(temperature=1.3, top_k=40, repeat_penalty=1.3, presence_penalty=1, seed=4),
    SamplingParams(temperature=0, logit_bias=((260, 5.0), (28, -float("inf")))),
]


@pytest.mark.parametrize("sampling", SETTINGS)
def test_logprobs_are_those_of_the_raw_logits_whatever_the_sampling(
    bench: Bench, smollm2_path: Path, prompt: list[int], sampling: SamplingParams
) -> None:
    written = bench.generate(prompt, 10, n_logprobs=5, sampling=sampling, ignore_eos=True)
    assert len(written.ids) == 10
    assert matches(written, raw(smollm2_path, prompt, written.ids), within=0.3)
    assert all(len(entry.top) == 5 for entry in written.logprobs)


def test_zero_top_logprobs_are_the_generated_token_alone_and_none_are_none(
    bench: Bench, prompt: list[int]
) -> None:
    zero = bench.generate(prompt, 5, n_logprobs=0)
    none = bench.generate(prompt, 5)
    assert [entry.top for entry in zero.logprobs] == [()] * 5
    assert none.logprobs == []
    assert none.ids == zero.ids


def test_asking_for_logprobs_changes_nothing_that_is_drawn(bench: Bench, prompt: list[int]) -> None:
    sampling = SamplingParams(temperature=1, top_k=40, seed=7)
    grammar = "start: /[a-z ]{40}/"
    bench.generate(prompt, 1)
    quiet = bench.generate(prompt, 12, sampling=sampling, grammar=grammar)
    told = bench.generate(prompt, 12, sampling=sampling, grammar=grammar, n_logprobs=3)
    assert told.ids == quiet.ids


def test_a_grammar_does_not_change_logprobs_and_forced_tokens_have_theirs(
    bench: Bench, smollm2_path: Path, vocab: Vocab, prompt: list[int]
) -> None:
    grammar = 'start: ("the keeper of the lighthouse is " | "nobody is ") /[a-z]{4,8}/ "."'
    written = bench.generate(prompt, 40, grammar=grammar, n_logprobs=2)
    assert written.finished.usage.forced_tokens > 3
    assert [entry.id for entry in written.logprobs] == written.ids
    expected = raw(smollm2_path, prompt, written.ids)
    drawn = [(e, at) for e, at in zip(written.logprobs, expected, strict=True) if e.top]
    assert len(drawn) == len(written.ids) - written.finished.usage.forced_tokens
    for entry, at in drawn:
        assert entry.logprob == pytest.approx(at[entry.id], abs=0.3)
        assert max(at) == pytest.approx(entry.top[0][1], abs=0.3)  # allowed by it or not


def test_logprobs_stand_beside_their_ids_in_drafts_too(smollm2_path: Path, vocab: Vocab) -> None:
    verse = vocab.encode("The lamp burned all night. The keeper slept. The sea was calm. " * 3)
    with bench_of(smollm2_path, drafts_pay(), n_ctx=512) as drafting:
        written = drafting.generate(verse, 24, n_logprobs=3, ignore_eos=True)
    assert written.finished.usage.accepted_tokens > 5
    assert matches(written, raw(smollm2_path, verse, written.ids), within=0.3)


def test_each_continuation_has_its_own_logprobs(
    bench: Bench, smollm2_path: Path, prompt: list[int]
) -> None:
    sampling = SamplingParams(temperature=1, top_k=40, seed=1)
    several = bench.continuations(prompt, 6, n=3, n_logprobs=2, sampling=sampling, ignore_eos=True)
    assert len(several) == 3
    for written in several:
        assert matches(written, raw(smollm2_path, prompt, written.ids), within=0.4)


def test_a_grammar_of_one_continuation_does_not_reach_the_logprobs_of_the_next(
    bench: Bench, smollm2_path: Path, prompt: list[int]
) -> None:
    sampling = SamplingParams(temperature=1, top_k=40, seed=1)
    several = bench.continuations(
        prompt, 3, n=3, n_logprobs=5, sampling=sampling, grammar="start: /[xyz]{9}/"
    )
    (expected,) = raw(smollm2_path, prompt, several[0].ids[:1])
    for written in several:
        assert written.logprobs[0].top[0][0] == int(expected.argmax())
        assert written.logprobs[0].logprob < -3  # it is nothing the model would say


def test_a_closing_thought_has_logprobs_too(bench: Bench, vocab: Vocab, prompt: list[int]) -> None:
    end = tuple(vocab.encode("</think>"))
    limit = ThoughtLimit(3, (1,), end, end, begun=True)
    written = bench.generate(prompt, 20, thought=limit, n_logprobs=1, ignore_eos=True)
    assert [entry.id for entry in written.logprobs] == written.ids
    assert len(written.ids) == 20


# limits


@pytest.mark.parametrize("most", range(1, 12))
def test_a_limit_inside_forced_tokens_is_kept(
    bench: Bench, vocab: Vocab, prompt: list[int], most: int
) -> None:
    grammar = 'start: "the keeper of the lighthouse on the old pier sleeps"'
    written = bench.generate(prompt, most, grammar=grammar, n_logprobs=0)
    whole = len(bench.generate(prompt, 99, grammar=grammar).ids)
    assert len(written.ids) == len(written.logprobs) == min(most, whole)
    assert written.finished.reason == ("length" if most < whole else "stop")
    assert written.finished.usage.completion_tokens == len(written.ids)


def test_a_stop_id_among_forced_tokens_ends_the_stream_before_it(
    bench: Bench, vocab: Vocab, prompt: list[int]
) -> None:
    grammar = 'start: "the keeper of the lighthouse on the old pier sleeps"'
    whole = bench.generate(prompt, 99, grammar=grammar).ids
    for at in (1, len(whole) - 1):
        first = whole.index(whole[at])
        written = bench.generate(prompt, 99, grammar=grammar, stop_ids=(whole[at],), n_logprobs=0)
        assert written.ids == whole[:first]
        assert len(written.logprobs) == first
        assert written.finished.reason == "stop"


def test_without_a_limit_a_generation_ends_with_the_window(bench: Bench, prompt: list[int]) -> None:
    long = prompt * 80
    n_ctx = bench.engine.info.n_ctx
    written = bench.generate(long[: n_ctx - 7], None, ignore_eos=True)
    assert (len(written.ids), written.finished.reason) == (7, "length")


@pytest.mark.parametrize(
    "sampling",
    [SamplingParams(min_p=0.1), SamplingParams(top_p=0.9), SamplingParams(typical_p=0.5)],
)
def test_what_a_grammar_allows_is_written_though_biases_ban_all_of_it(
    bench: Bench, vocab: Vocab, prompt: list[int], sampling: SamplingParams
) -> None:
    banned = tuple((vocab.encode(letter)[0], -np.inf) for letter in "xyz")
    sampling = replace(sampling, temperature=0.8, logit_bias=banned, seed=1)
    written = bench.generate(prompt, 5, sampling=sampling, grammar="start: /[xyz]/")
    assert vocab.piece(written.ids[0]) in (b"x", b"y", b"z")


def said(vocab: Vocab, written: Written) -> str:
    return b"".join(map(vocab.piece, written.ids)).decode()


SEAS = 'start: "The sea" (" sea"){0,9}'


def test_with_a_free_end_a_text_ends_where_the_model_would_go_on_with_something_else(
    bench: Bench, vocab: Vocab, prompt: list[int]
) -> None:
    asked: dict[str, Any] = {"grammar": SEAS, "n_logprobs": 0}
    free = bench.generate(prompt, free_end=True, **asked)
    bound = bench.generate(prompt, **asked)
    assert said(vocab, free) == "The sea"
    assert said(vocab, bound).endswith("sea sea sea")
    assert free.finished.reason == "stop"
    assert [entry.id for entry in free.logprobs] == free.ids
    wanted = vocab.encode(" sea")[-1]
    biased = SamplingParams(temperature=0, logit_bias=((wanted, 50.0),))
    wanting = bench.generate(prompt, free_end=True, sampling=biased, **asked)
    assert said(vocab, wanting) == "The sea" + " sea" * 9


def test_a_free_end_does_not_end_free_text(bench: Bench, vocab: Vocab, prompt: list[int]) -> None:
    free = 'start: TEXT | "<" "b" ">"\nTEXT: /[a-zA-Z ]*/'
    written = bench.generate(prompt, 20, free_end=True, grammar=free)
    assert len(written.ids) == 20
    assert written.ids == bench.generate(prompt, 20, grammar=free).ids
