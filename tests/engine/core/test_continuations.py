"""Several continuations of one prompt: n > 1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.chat.vocab import Vocab
from edge_agent.engine.params import Finished, SamplingParams
from edge_agent.errors import GrammarError, RequestError

from ..fakes import Rig, drafts_never_pay
from ..live import Bench, Written, bench_of, chat

# llguidance reads a vocabulary through an old name
pytestmark = pytest.mark.filterwarnings("ignore:llama_token_get_attr:DeprecationWarning")

WARM = SamplingParams(temperature=1.2, top_k=40, seed=100)


@pytest.fixture(scope="module")
def vocab(smollm2_path: Path) -> Vocab:
    return Vocab.load(smollm2_path)


@pytest.fixture(scope="module")
def bench(smollm2_path: Path) -> Iterator[Bench]:
    with bench_of(smollm2_path, drafts_never_pay(), n_ctx=512, n_batch=32, n_parallel=4) as bench:
        yield bench


@pytest.fixture
def prompt(vocab: Vocab, request: pytest.FixtureRequest) -> list[int]:
    """One that no other test has left in the cells."""
    return chat(vocab, f"Tell me all of what you know about {request.node.name}, in short words.")


def agreement(a: Written, b: Written) -> int:
    pairs = zip(a.ids, b.ids, strict=False)
    return next((i for i, (x, y) in enumerate(pairs) if x != y), len(a.ids))


def reasons(bench: Bench, id: int) -> dict[int, str]:
    return {index: w.finished.reason for index, w in bench.written[id].items()}


def test_continuations_share_a_prompt_that_is_computed_once(
    bench: Bench, prompt: list[int]
) -> None:
    held = bench.check()["cells_held"]
    id = bench.submit(prompt, 30, n=4, sampling=WARM, ignore_eos=True)
    bench.run(lambda: len(bench.written[id]) == 4)
    counts = bench.check()
    assert counts["running"] == counts["slots_busy"] == 4
    assert counts["cells_held"] - held <= len(prompt)  # nothing of it is there twice
    bench.run()
    usages = [w.finished.usage for _, w in sorted(bench.written[id].items())]
    computed = [usage.prompt_tokens - usage.cached_tokens for usage in usages]
    assert computed[0] > len(prompt) - 12  # the template is known
    assert computed[1:] == [0, 0, 0]


def test_continuation_i_is_what_the_seed_and_i_give_alone(bench: Bench, prompt: list[int]) -> None:
    several = bench.continuations(prompt, 12, n=3, sampling=WARM, ignore_eos=True)
    assert len({tuple(written.ids) for written in several}) == 3
    for i, written in enumerate(several):
        alone = bench.generate(prompt, 12, sampling=WARM.with_(seed=100 + i), ignore_eos=True)
        # a batch of another size and cells in another order round differently
        assert agreement(written, alone) >= 4
    first = bench.generate(prompt, 12, sampling=WARM, ignore_eos=True)
    assert agreement(several[0], first) >= 4


def test_greedy_continuations_are_all_the_same(bench: Bench, prompt: list[int]) -> None:
    several = bench.continuations(prompt, 8, n=3)
    assert several[0].ids[:4] == several[1].ids[:4] == several[2].ids[:4]


def test_a_continuation_without_a_place_waits_and_shares_the_prompt_later(
    bench: Bench, prompt: list[int]
) -> None:
    busy = [bench.submit([7 + i] * 5, 12, ignore_eos=True) for i in range(2)]
    for one in busy:
        bench.first(one)
    id = bench.submit(prompt, 6, n=4, sampling=WARM, ignore_eos=True)
    bench.run(lambda: len(bench.written[id]) > 0)
    assert bench.check()["running"] == 4
    assert bench.check()["waiting"] == 2
    bench.run()
    assert reasons(bench, id) == dict.fromkeys(range(4), "length")
    late = bench.written[id][3].finished.usage
    assert late.prompt_tokens - late.cached_tokens == 1


def test_one_that_ends_early_leaves_the_others_running(bench: Bench, prompt: list[int]) -> None:
    free = bench.continuations(prompt, 10, n=3, sampling=WARM, ignore_eos=True)
    stop = next(id for id in free[1].ids[:4] if id not in free[0].ids[:6])
    several = bench.continuations(prompt, 10, n=3, sampling=WARM, ignore_eos=True, stop_ids=(stop,))
    assert several[1].finished.reason == "stop"
    assert len(several[1].ids) < 4
    assert len(several[0].ids) >= 6


@pytest.mark.parametrize("steps", [0, 1])
def test_cancelled_before_the_fork_each_continuation_has_its_end(
    bench: Bench, prompt: list[int], steps: int
) -> None:
    id = bench.submit(prompt * 2, 10, n=3, sampling=WARM)  # two steps at least
    for _ in range(steps):
        bench.engine.step()
    assert not bench.written[id]
    bench.engine.cancel(id)
    assert reasons(bench, id) == dict.fromkeys(range(3), "cancelled")
    assert bench.check()["running"] == bench.check()["waiting"] == 0


def test_cancelled_after_the_fork_each_continuation_has_its_end(
    bench: Bench, prompt: list[int]
) -> None:
    id = bench.submit(prompt, 50, n=3, sampling=WARM, ignore_eos=True)
    bench.run(lambda: len(bench.written[id]) == 3)
    bench.engine.cancel(id)
    assert reasons(bench, id) == dict.fromkeys(range(3), "cancelled")
    assert bench.check()["slots_busy"] == 0


def test_a_grammar_that_does_not_parse_is_one_error_for_all(
    bench: Bench, prompt: list[int]
) -> None:
    id = bench.submit(prompt, 10, n=3, grammar="start: undefined_rule")
    bench.run()
    assert isinstance(bench.errors[id], GrammarError)
    assert not bench.written[id]
    assert bench.check()["slots_busy"] == 0


def test_a_grammar_binds_each_continuation_for_itself(
    bench: Bench, vocab: Vocab, prompt: list[int]
) -> None:
    grammar = 'start: "the " /[a-z]{4,8}/ " of the " /[a-z]{4,8}/ "."'
    several = bench.continuations(prompt, 40, n=3, sampling=WARM, grammar=grammar)
    texts = [b"".join(vocab.piece(id) for id in written.ids).decode() for written in several]
    assert len(set(texts)) > 1
    for text, written in zip(texts, several, strict=True):
        assert text.startswith("the ") and " of the " in text and text.endswith(".")
        assert written.finished.reason == "stop"


def test_no_tokens_wanted_is_an_end_for_each(bench: Bench, prompt: list[int]) -> None:
    several = bench.continuations(prompt, 0, n=3)
    assert [(written.ids, written.finished.reason) for written in several] == [([], "length")] * 3


def test_more_than_can_run_at_once_are_refused(bench: Bench, prompt: list[int]) -> None:
    with pytest.raises(RequestError):
        bench.submit(prompt, 5, n=5)


def test_a_window_that_is_full_before_the_fork_ends_each(smollm2_path: Path, vocab: Vocab) -> None:
    with bench_of(smollm2_path, n_ctx=256, n_batch=64) as small:
        full = vocab.encode("One two three four five six. " * 60)[:255]
        several = small.continuations(full, None, n=3, ignore_eos=True)
        assert len(several) == 3
        assert all(isinstance(written.last, Finished) for written in several)
        assert [written.finished.reason for written in several] == ["length"] * 3


def test_continuations_that_fill_the_window_give_way_one_to_another(
    smollm2_path: Path, vocab: Vocab
) -> None:
    with bench_of(smollm2_path, n_ctx=256, n_batch=64) as small:
        long = vocab.encode("One two three four five six. " * 60)[:180]
        several = small.continuations(long, 40, n=3, sampling=WARM, ignore_eos=True)
        assert [len(written.ids) for written in several] == [40] * 3
        assert [written.finished.reason for written in several] == ["length"] * 3


# by the scheduler alone


def test_a_fork_runs_at_once_and_its_prompt_is_not_computed_again() -> None:
    rig = Rig()
    parent = rig.add(20)
    rig.step()
    free = rig.cache.n_free
    child, forked = rig.fork(parent, 1)
    assert forked
    assert (child.computed, child.n_cached) == (20, 20)
    assert rig.cache.n_free == rig.memory.n_free == free
    assert rig.plan() == {parent: 1, child: 1}


def test_a_fork_for_which_there_is_no_place_waits_and_runs_later() -> None:
    rig = Rig(n_parallel=2)
    parent, other = rig.add(20), rig.add(5)
    rig.step()
    child, forked = rig.fork(parent, 1)
    assert not forked
    assert rig.scheduler.waiting == [child]
    rig.scheduler.remove(other)
    plan = rig.plan()
    assert plan[child] == 1  # of its prompt, for the logits: the rest was shared
    assert (child.n_cached, child.n_generated) == (19, 1)


def test_a_fork_takes_no_place_beyond_those_there_are() -> None:
    rig = Rig(n_parallel=3)
    parent = rig.add(20)
    rig.step()
    forked = [rig.fork(parent, index)[1] for index in range(1, 4)]
    assert forked == [True, True, False]


def test_of_siblings_the_last_gives_way_first_and_the_first_comes_back_first() -> None:
    rig = Rig(n_parallel=3)
    parent = rig.add(20)
    rig.step()
    first, _ = rig.fork(parent, 1)
    second, _ = rig.fork(parent, 2)
    assert rig.scheduler.last_in_line is second
    rig.scheduler.preempt(second)
    assert rig.scheduler.last_in_line is first
    rig.scheduler.preempt(first)
    rig.scheduler.plan()
    assert rig.scheduler.running == [parent, first, second]
