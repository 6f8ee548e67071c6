from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.chat.vocab import Vocab
from edge_agent.engine.core.draft import MAX_DRAFT, Drafter
from edge_agent.engine.core.scheduler import Share
from edge_agent.engine.core.sequence import Sequence
from edge_agent.engine.core.speculation import with_drafts
from edge_agent.engine.params import GenerateParams, SamplingParams, ThoughtLimit

from ..fakes import NO_SAMPLER, drafts_never_pay, drafts_pay
from ..live import GREEDY, Bench, Written, bench_of

QUOTE = [*range(100, 140), *range(100, 108)]
VERSE = "The lamp on the pier burned all night. The keeper slept. The sea was calm. "
CODE = "def add(a, b):\n    return a + b\n\ndef sub(a, b):\n    return a - b\n\ndef mul(a, b):"
COUNT = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,"
TEXTS = (VERSE * 3, CODE, COUNT)

# llguidance reads a vocabulary through an old name
pytestmark = pytest.mark.filterwarnings("ignore:llama_token_get_attr:DeprecationWarning")


# which shares get guesses


def share_of(n_prompt: int, n_written: int, max_tokens: int | None, n_share: int) -> Share:
    sequence = Sequence(1, QUOTE[:n_prompt], GenerateParams(max_tokens=max_tokens), NO_SAMPLER)
    sequence.drafter = Drafter(sequence.tokens)
    sequence.write(QUOTE[n_prompt : n_prompt + n_written])
    sequence.computed = len(sequence.tokens) - n_share
    return Share(sequence, n_share)


shares = st.builds(
    share_of,
    st.sampled_from([3, 30, 43]),
    st.integers(1, 5),
    st.one_of(st.none(), st.integers(5, 20)),
    st.integers(1, 3),
)


@given(st.lists(shares, max_size=6), st.integers(0, 30))
def test_drafts_keep_every_bound(planned: list[Share], most: int) -> None:
    drafted = with_drafts(planned, most, drafts_pay())
    assert [(s.sequence, s.n_tokens) for s in drafted] == [
        (s.sequence, s.n_tokens) for s in planned
    ]
    n_planned = sum(share.n_tokens for share in planned)
    assert sum(len(share.draft) for share in drafted) <= min(MAX_DRAFT, max(most - n_planned, 0))
    for share in drafted:
        assert len(share.draft) < max(share.sequence.tokens_left, 1)


def test_guesses_stand_only_behind_the_last_token_of_a_stream() -> None:
    (behind,) = with_drafts([share_of(43, 5, None, 2)], 99, drafts_pay())
    assert behind.draft == tuple(range(108, 108 + MAX_DRAFT))
    (before,) = with_drafts([Share(share_of(43, 5, None, 2).sequence, 1)], 99, drafts_pay())
    assert before.draft == ()
    (prompt,) = with_drafts([share_of(48, 0, None, 1)], 99, drafts_pay())
    assert prompt.draft == ()


# with a real model


@pytest.fixture(scope="module")
def vocab(smollm2_path: Path) -> Vocab:
    return Vocab.load(smollm2_path)


@pytest.fixture(scope="module")
def drafting(smollm2_path: Path) -> Iterator[Bench]:
    with bench_of(smollm2_path, drafts_pay(), n_ctx=512) as bench:
        yield bench


@pytest.fixture(scope="module")
def plain(smollm2_path: Path) -> Iterator[Bench]:
    with bench_of(smollm2_path, drafts_never_pay(), n_ctx=512) as bench:
        yield bench


def both(
    drafting: Bench, plain: Bench, prompt: list[int], **params: object
) -> tuple[Written, Written]:
    """With and without drafts, from the same cells."""
    out = []
    for bench in (drafting, plain):
        bench.generate(prompt, 1, speculate=False)
        out.append(bench.generate(prompt, **{"most": 20, "ignore_eos": True, **params}))  # type: ignore[arg-type]
    assert out[1].finished.usage.drafted_tokens == 0
    return out[0], out[1]


def agreement(fast: Written, slow: Written) -> int:
    """How many first tokens are the same."""
    pairs = zip(fast.ids, slow.ids, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), len(slow.ids))


TIE = 0.3  # nats between the two likeliest, which another batch may turn round


def same_but_for_ties(fast: Written, slow: Written) -> bool:
    """Whether greedy outputs agree, or part where both tokens were as good as equal."""
    at = agreement(fast, slow)
    if at == len(slow.ids):
        return len(fast.ids) == len(slow.ids)
    chances = dict(slow.logprobs[at].top)
    return fast.ids[at] in chances and chances[slow.ids[at]] - chances[fast.ids[at]] < TIE


@pytest.mark.parametrize("text", TEXTS)
def test_greedy_output_is_the_same_with_drafts_and_without(
    drafting: Bench, plain: Bench, vocab: Vocab, text: str
) -> None:
    fast, slow = both(drafting, plain, vocab.encode(text), n_logprobs=5)
    assert same_but_for_ties(fast, slow)
    assert fast.finished.usage.drafted_tokens > 0


def test_what_is_quoted_is_written_in_fewer_steps(drafting: Bench, vocab: Vocab) -> None:
    id = drafting.submit(vocab.encode(VERSE * 3), 40, ignore_eos=True)
    written, n_steps = drafting.first(id), 0
    while written.last is None:
        drafting.engine.step()
        n_steps += 1
        drafting.check()
    usage = written.finished.usage
    assert usage.accepted_tokens > 20
    assert n_steps <= 40 - usage.accepted_tokens
    assert usage.accepted_tokens <= usage.drafted_tokens


@pytest.mark.parametrize(
    "sampling",
    [
        SamplingParams(temperature=0, repeat_penalty=1.1, penalty_last_n=30),
        SamplingParams(temperature=0, presence_penalty=0.3, frequency_penalty=0.2),
        SamplingParams(temperature=0, dry_multiplier=0.8),
    ],
)
def test_penalties_see_what_was_accepted_from_drafts(
    drafting: Bench, plain: Bench, vocab: Vocab, sampling: SamplingParams
) -> None:
    pairs = [both(drafting, plain, vocab.encode(text), sampling=sampling) for text in TEXTS[1:]]
    assert all(agreement(fast, slow) >= 8 for fast, slow in pairs)
    assert any(fast.ids == slow.ids for fast, slow in pairs)
    assert sum(fast.finished.usage.drafted_tokens for fast, _ in pairs) > 0


def test_the_same_seed_draws_the_same_with_drafts_and_without(
    drafting: Bench, plain: Bench, vocab: Vocab
) -> None:
    sampling = SamplingParams(temperature=1.0, top_k=40, seed=5)
    pairs = [both(drafting, plain, vocab.encode(text), sampling=sampling) for text in TEXTS[1:]]
    assert all(agreement(fast, slow) >= 8 for fast, slow in pairs)
    assert any(
        fast.ids == slow.ids and fast.finished.usage.drafted_tokens > 5 for fast, slow in pairs
    )


def test_a_grammar_binds_drafts_too(drafting: Bench, plain: Bench, vocab: Vocab) -> None:
    grammar = 'start: ("\\nThe keeper " /(slept|woke)/ ". The sea was " /[a-z]{3,9}/ "."){4}'
    fast, slow = both(drafting, plain, vocab.encode(VERSE * 2), grammar=grammar, most=200)
    assert fast.ids == slow.ids
    assert fast.finished.reason == slow.finished.reason == "stop"
    assert fast.finished.usage.accepted_tokens > 0
    assert fast.finished.usage.forced_tokens == slow.finished.usage.forced_tokens > 0


@pytest.mark.parametrize("most", [1, 2, 9, 13])
def test_a_limit_inside_a_draft_is_kept(
    drafting: Bench, plain: Bench, vocab: Vocab, most: int
) -> None:
    fast, slow = both(drafting, plain, vocab.encode(VERSE * 3), most=most)
    assert fast.ids == slow.ids
    assert (len(fast.ids), fast.finished.reason) == (most, "length")
    assert drafting.check()["running"] == 0


@pytest.mark.parametrize("at", [1, 4, 11])
def test_a_stop_id_inside_a_draft_ends_the_stream_before_it(
    drafting: Bench, plain: Bench, vocab: Vocab, at: int
) -> None:
    prompt = vocab.encode(VERSE * 3)
    stop = plain.generate(prompt, 12, ignore_eos=True).ids[at]
    fast, slow = both(drafting, plain, prompt, stop_ids=(stop,))
    assert fast.ids == slow.ids
    assert stop not in fast.ids
    assert fast.finished.reason == "stop"


@pytest.mark.parametrize("budget", [0, 3, 10])
def test_a_thought_that_ends_inside_a_draft_has_its_budget_exactly(
    drafting: Bench, plain: Bench, vocab: Vocab, budget: int
) -> None:
    end = tuple(vocab.encode("</think>"))
    closing = (*vocab.encode(" Enough."), *end)
    limit = ThoughtLimit(budget, (1,), end, closing, begun=True)
    fast, slow = both(drafting, plain, vocab.encode(VERSE * 3), thought=limit)
    assert fast.ids == slow.ids
    assert tuple(fast.ids[budget : budget + len(closing)]) == closing
    assert fast.finished.usage.forced_tokens == len(closing)


def test_continuations_draft_each_for_itself(drafting: Bench, plain: Bench, vocab: Vocab) -> None:
    prompt = vocab.encode(CODE)
    sampling = SamplingParams(temperature=0.4, top_k=40, seed=11)
    fast, slow = (
        bench.continuations(prompt, 24, n=3, sampling=sampling, ignore_eos=True)
        for bench in (drafting, plain)
        if bench.generate(prompt, 1, speculate=False)  # from the same cells
    )
    assert len(fast) == len(slow) == 3
    # their cells lie in another order, which rounds differently: equal up to the first tie
    assert all(agreement(a, b) >= 5 for a, b in zip(fast, slow, strict=True))
    assert sum(written.finished.usage.drafted_tokens for written in fast) > 0


def test_who_asks_for_no_drafts_gets_none(drafting: Bench, vocab: Vocab) -> None:
    written = drafting.generate(vocab.encode(VERSE * 3), 20, speculate=False)
    assert written.finished.usage.drafted_tokens == 0


def test_several_that_draft_never_overfill_a_batch(smollm2_path: Path, vocab: Vocab) -> None:
    # too many tokens or outputs in a batch would end this process
    with bench_of(smollm2_path, drafts_pay(), n_ctx=256, n_batch=6) as bench:
        prompt = vocab.encode(VERSE * 2)
        ids = [bench.submit(prompt[: len(prompt) - n], 12, ignore_eos=True) for n in range(4)]
        bench.run(lambda: bench.check() is None)
        assert [len(bench.written[id][0].ids) for id in ids] == [12] * 4
        usages = [bench.written[id][0].finished.usage for id in ids]
        assert sum(usage.drafted_tokens for usage in usages) > 0


def test_drafts_end_with_the_window(smollm2_path: Path, vocab: Vocab) -> None:
    with bench_of(smollm2_path, drafts_pay(), n_ctx=256) as bench:
        prompt = vocab.encode(VERSE * 20)[:235]
        id = bench.submit(prompt, None, ignore_eos=True)
        bench.run(lambda: bench.check() is None)
        last = bench.written[id][0]
        assert (last.finished.reason, len(last.ids)) == ("length", 21)
        assert last.finished.usage.drafted_tokens > 0


def test_an_engine_that_is_told_not_to_draft_does_not(smollm2_path: Path, vocab: Vocab) -> None:
    with bench_of(smollm2_path, drafts_pay(), n_ctx=256, speculate=False) as bench:
        written = bench.generate(vocab.encode(VERSE * 2), 20, speculate=True)
        assert written.finished.usage.drafted_tokens == 0
        assert written.ids == bench.generate(vocab.encode(VERSE * 2), 20, sampling=GREEDY).ids
