"""What the agent does to its cached transcripts, by the logits of a real model.

A sequence that was forked, cut back, moved out of the cells and in again, or read from disk gives
the very bits of a fresh context that computed the same tokens in the same chunks: the same kernels
have seen the same numbers in the same order. Where the chunks differ (a kernel for one row sums in
another order than one for many), or a chunk is computed beside other sequences (attention then sums
over other cells in between), values differ in their last bits, and quantised activations carry that
on: of SmolLM2 the likeliest twenty by up to 0.25 nats, at a KL of 0.001 to 0.003. Pruning is an
approximation: a KL of 0.005 to 0.03 on prose, and of 0.2 where most of a text is taken out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.chat.vocab import Vocab
from edge_agent.engine.kv.shelf import Shelf
from edge_agent.engine.kv.vault import Vault
from edge_agent.engine.params import Edit, Edited, Park, Prune, Resume, Rollback, TokenLogprobs
from edge_agent.errors import NotFound, RequestError

from ..fakes import drafts_never_pay
from ..live import Bench, Desk, bench_of, desk_of, log_softmax

# llguidance reads a vocabulary through an old name
pytestmark = pytest.mark.filterwarnings("ignore:llama_token_get_attr:DeprecationWarning")

STORY = (
    "The lighthouse stood on a rock at the end of the long pier. Every evening the keeper climbed "
    "the ninety-nine steps and lit the lamp. Ships came from the north with timber and from the "
    "south with oranges, and all of them looked for the light. One night in November the lamp went "
    "out. The keeper had fallen asleep over his book, and a cold wind had found the open window."
)
KNOWN = 64  # tokens, two chunks
N_ON = 16
Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Told:
    """A story, and what a fresh context makes of it."""

    ids: list[int]
    logits: Logits  # behind the token after those that are KNOWN
    onward: list[int]

    @property
    def known(self) -> tuple[int, ...]:
        return tuple(self.ids[:KNOWN])

    @property
    def asked(self) -> list[int]:
        return self.ids[: KNOWN + 1]


@pytest.fixture(scope="module")
def vocab(smollm2_path: Path) -> Vocab:
    return Vocab.load(smollm2_path)


def read(path: Path, ids: list[int], **changes: Any) -> Told:
    with desk_of(path, **changes) as fresh:
        slot, _, _ = fresh.ask(ids[:KNOWN])
        logits = fresh.feed(slot, ids[KNOWN : KNOWN + 1])
        return Told(ids, logits, fresh.go_on(slot, logits, N_ON))


@pytest.fixture(scope="module")
def told(smollm2_path: Path, vocab: Vocab) -> Told:
    return read(smollm2_path, vocab.encode(STORY))


@pytest.fixture
def desk(smollm2_path: Path) -> Iterator[Desk]:
    with desk_of(smollm2_path) as desk:
        yield desk


def distance(found: Logits, expected: Logits) -> tuple[float, float]:
    """The largest difference of a logprob among the likeliest twenty, and the KL divergence."""
    p, q = log_softmax(expected), log_softmax(found)
    top = np.argsort(-p)[:20]
    return float(np.abs(p - q)[top].max()), float((np.exp(p) * (p - q)).sum())


def near(found: Logits, expected: Logits) -> bool:
    largest, kl = distance(found, expected)
    return largest < 0.6 and kl < 0.01


def parked(desk: Desk, ids: list[int]) -> int:
    """A finished sequence of these tokens."""
    slot, _, _ = desk.ask(ids)
    desk.cache.park(slot)
    return slot


def test_chunks_of_another_size_round_differently(smollm2_path: Path, told: Told) -> None:
    with desk_of(smollm2_path) as desk:
        held = desk.cache.acquire(told.asked)
        assert held is not None
        assert near(desk.feed(held[0], told.asked, chunk=16), told.logits)


def test_a_fork_goes_on_as_a_fresh_prefill_and_so_does_its_source(desk: Desk, told: Told) -> None:
    slot, _, _ = desk.ask(told.ids[:KNOWN])
    fork = desk.cache.fork(slot, KNOWN)
    assert fork is not None
    assert np.array_equal(desk.feed(fork, told.asked[-1:]), told.logits)
    assert np.array_equal(desk.feed(slot, told.asked[-1:]), told.logits)
    assert desk.go_on(fork, told.logits, N_ON) == told.onward
    assert desk.go_on(slot, told.logits, N_ON) == told.onward
    desk.check()


def test_what_was_rolled_back_goes_on_as_a_fresh_prefill(desk: Desk, told: Told) -> None:
    slot, _, _ = desk.ask(told.ids[:KNOWN])
    desk.feed(slot, [*reversed(told.ids)][:20])  # another way, which is given up
    desk.cache.park(slot)
    left = desk.editor.edit(Rollback(tuple(told.ids[:KNOWN]), KNOWN))
    assert left == Edited(KNOWN, KNOWN)
    slot, held, logits = desk.ask(told.asked)
    assert held == KNOWN
    assert np.array_equal(logits, told.logits)
    assert desk.go_on(slot, logits, N_ON) == told.onward


def test_a_rollback_drops_what_is_behind_it(desk: Desk, told: Told) -> None:
    parked(desk, told.ids)
    assert desk.editor.edit(Rollback(tuple(told.ids), 40)) == Edited(40, 40)
    assert max(desk.cache.lengths) == 40
    desk.check()


def test_what_was_parked_and_resumed_goes_on_as_a_fresh_prefill(desk: Desk, told: Told) -> None:
    parked(desk, told.ids[:KNOWN])
    assert desk.editor.edit(Park("trip", told.known)) == Edited(KNOWN, KNOWN)
    assert sum(desk.cache.lengths) == 0
    assert desk.editor.edit(Resume("trip")) == Edited(KNOWN, KNOWN)
    slot, held, logits = desk.ask(told.asked)
    assert held == KNOWN
    assert np.array_equal(logits, told.logits)
    assert desk.go_on(slot, logits, N_ON) == told.onward
    with pytest.raises(NotFound, match="trip"):
        desk.editor.edit(Resume("trip"))


def test_what_comes_back_into_scattered_cells_is_the_same(desk: Desk, told: Told) -> None:
    parked(desk, told.ids[:KNOWN])
    desk.editor.edit(Park("trip", told.known))
    held = [desk.cache.acquire([9, 9, i]) for i in range(3)]
    slots = [got[0] for got in held if got is not None]
    for i in range(40):  # one token each in turn
        for slot in slots:
            desk.feed(slot, [1000 + i])
    for slot in slots[1:]:
        desk.cache.clear(slot)
        desk.cache.park(slot)
    assert desk.editor.edit(Resume("trip")) == Edited(KNOWN, KNOWN)
    _, n, logits = desk.ask(told.asked)
    assert n == KNOWN
    assert near(logits, told.logits)


def test_what_was_evicted_comes_back_from_the_vault(desk: Desk, told: Told) -> None:
    parked(desk, told.ids[:KNOWN])
    assert desk.cache.make_room(desk.llama.info.n_ctx)
    assert (sum(desk.cache.lengths), desk.vault.n_kept) == (0, 1)
    slot, held, logits = desk.ask(told.asked)
    assert held == KNOWN
    assert np.array_equal(logits, told.logits)
    assert desk.go_on(slot, logits, N_ON) == told.onward


def test_a_pinned_prefix_comes_back_from_disk(
    smollm2_path: Path, told: Told, tmp_path: Path
) -> None:
    def shelf() -> Vault:
        return Vault(1 << 20, Shelf(tmp_path, 1 << 30, "model", spare_bytes=0))

    with desk_of(smollm2_path, shelf()) as first:
        slot, _, _ = first.ask(told.ids)
        first.cache.pin(slot, KNOWN)
        first.vault.close()
    with desk_of(smollm2_path, shelf()) as second:
        slot, held, logits = second.ask(told.asked)
        assert held == KNOWN
        assert np.array_equal(logits, told.logits)
        assert second.go_on(slot, logits, N_ON) == told.onward


# pruning


@pytest.mark.parametrize(("start", "stop"), [(16, 32), (14, 60)])
def test_pruning_is_near_a_true_prefill_and_much_faster(
    desk: Desk, smollm2_path: Path, told: Told, start: int, stop: int
) -> None:
    parked(desk, told.ids)
    left = [*told.ids[:start], *told.ids[stop:]]
    began = time.process_time()
    assert desk.editor.edit(Prune(tuple(told.ids), start, stop)) == Edited(len(left), start)
    slot, held, logits = desk.ask(left, accept_pruned=True)
    pruned_s = time.process_time() - began
    assert held == len(left) - 1
    assert desk.cache.ids(slot).tolist() == left
    with desk_of(smollm2_path) as fresh:
        began = time.process_time()
        _, _, expected = fresh.ask(left)
        fresh_s = time.process_time() - began
    _, kl = distance(logits, expected)
    print(f"{start} to {stop}: KL {kl:.4f}, {fresh_s / pruned_s:.0f} times as fast")
    assert kl < 0.5
    assert pruned_s < fresh_s / 3


def test_quantised_cells_are_kept_and_moved_too(
    smollm2_path: Path, vocab: Vocab, told: Told
) -> None:
    quantised = read(smollm2_path, told.ids, kv_type="q8_0")
    with desk_of(smollm2_path, kv_type="q8_0") as desk:
        parked(desk, told.ids[:KNOWN])
        desk.editor.edit(Park("trip", told.known))
        assert desk.editor.edit(Resume("trip")) == Edited(KNOWN, KNOWN)
        slot, _, logits = desk.ask(told.asked)
        assert np.array_equal(logits, quantised.logits)
        desk.cache.park(slot)
        left = [*told.ids[:16], *told.ids[32 : KNOWN + 1]]
        desk.editor.edit(Prune(tuple(told.asked), 16, 32))
        _, held, logits = desk.ask(left, accept_pruned=True)
        assert held == len(left) - 1
    with desk_of(smollm2_path, kv_type="q8_0") as fresh:
        assert distance(logits, fresh.ask(left)[2])[1] < 0.2


def test_what_was_pruned_is_computed_anew_for_who_does_not_accept_it(
    desk: Desk, told: Told
) -> None:
    ids = (*told.ids[:32], *[7] * 20, *told.ids[32:KNOWN])
    parked(desk, list(ids))
    assert desk.editor.edit(Prune(ids, 32, 52)) == Edited(KNOWN, 32)
    _, held, logits = desk.ask(told.asked)
    assert held == 32
    assert near(logits, told.logits)


def test_the_end_of_a_transcript_is_pruned_exactly(desk: Desk, told: Told) -> None:
    ids = (*told.known, *[7] * 20)
    parked(desk, list(ids))
    assert desk.editor.edit(Prune(ids, KNOWN, len(ids))) == Edited(KNOWN, KNOWN)
    _, held, logits = desk.ask(told.asked)
    assert held == KNOWN
    assert np.array_equal(logits, told.logits)


def test_pruning_nothing_changes_nothing(desk: Desk, told: Told) -> None:
    slot = parked(desk, told.ids)
    n = len(told.ids)
    assert desk.editor.edit(Prune(tuple(told.ids), 30, 30)) == Edited(n, n)
    assert len(desk.cache.ids(slot)) == n


@pytest.mark.parametrize("edit", [Rollback((1, 2), 3), Prune((1, 2), 2, 1), Prune((1, 2), -1, 1)])
def test_a_span_that_is_none_is_refused(desk: Desk, edit: Edit) -> None:
    with pytest.raises(RequestError, match="does not lie within the 2 tokens"):
        desk.editor.edit(edit)


def test_what_is_not_cached_is_edited_into_nothing(desk: Desk) -> None:
    for edit in (Rollback((1, 2), 1), Prune((1, 2), 0, 1), Park("a", (1, 2))):
        assert desk.editor.edit(edit) == Edited(0, 0)
    assert desk.editor.edit(Resume("a")) == Edited(0, 0)  # known, and all to be computed
    with pytest.raises(NotFound, match="'a'"):
        desk.editor.edit(Resume("a"))


# while the sequence is in use


@pytest.fixture(scope="module")
def bench(smollm2_path: Path) -> Iterator[Bench]:
    with bench_of(smollm2_path, drafts_never_pay(), n_ctx=1024) as bench:
        yield bench


def rolled_back(ids: tuple[int, ...]) -> list[Edit]:
    return [Rollback(ids, 20)]


def pruned(ids: tuple[int, ...]) -> list[Edit]:
    return [Prune(ids, 20, 40)]


def pruned_at_its_end(ids: tuple[int, ...]) -> list[Edit]:
    return [Prune(ids, 40, len(ids))]


def parked_and_resumed(ids: tuple[int, ...]) -> list[Edit]:
    return [Park("busy", ids), Resume("busy")]


@pytest.mark.parametrize("edits", [rolled_back, pruned, pruned_at_its_end, parked_and_resumed])
def test_a_running_generation_does_not_notice_an_edit_of_its_tokens(
    bench: Bench, vocab: Vocab, edits: Callable[[tuple[int, ...]], list[Edit]]
) -> None:
    prompt = vocab.encode(STORY)[:70]
    bench.generate(prompt, 1)
    alone = bench.generate(prompt, 20, ignore_eos=True, n_logprobs=20)
    id = bench.submit(prompt, 20, ignore_eos=True, n_logprobs=20)
    running = bench.first(id)
    for n, edit in enumerate(edits(tuple(prompt))):
        bench.run(lambda n=n: len(running.ids) > 3 * n + 3)  # type: ignore[misc]
        bench.engine.edit(edit)
        bench.check()
    bench.run()
    assert running.ids == alone.ids
    assert distances(running.logprobs, alone.logprobs) < 0.02


def distances(found: list[TokenLogprobs], expected: list[TokenLogprobs]) -> float:
    pairs = zip(found, expected, strict=True)
    return max([abs(float(a.logprob - b.logprob)) for a, b in pairs])


def test_a_running_generation_does_not_notice_one_that_shares_its_prompt(
    bench: Bench, vocab: Vocab
) -> None:
    prompt = vocab.encode(STORY)[:70]
    bench.generate(prompt, 1)
    alone = bench.generate(prompt, 20, ignore_eos=True)
    id = bench.submit(prompt, 20, ignore_eos=True)
    running = bench.first(id)
    other = bench.generate([*prompt, *prompt[10:14]], 5)
    assert other.finished.usage.cached_tokens == 70
    bench.run()
    assert running.ids[:8] == alone.ids[:8]  # later a tie may fall otherwise in a batch of two


def test_an_engine_begins_warm_with_what_another_has_pinned(
    smollm2_path: Path, vocab: Vocab, tmp_path: Path
) -> None:
    prompt = vocab.encode(STORY)[:90]
    spec = {"cache_dir": str(tmp_path), "n_ctx": 512}
    with bench_of(smollm2_path, drafts_never_pay(), **spec) as first:
        assert first.generate([*prompt[:70], 7, 7], 1, pin=70).finished.usage.cached_tokens == 0
        warm = first.generate(prompt, 12, pin=70, ignore_eos=True)
    with bench_of(smollm2_path, drafts_never_pay(), **spec) as second:
        again = second.generate(prompt, 12, pin=70, ignore_eos=True)
        assert again.finished.usage.cached_tokens == warm.finished.usage.cached_tokens == 70
        assert second.check()["slots_pinned"] == 1
        assert again.ids == warm.ids


def test_a_background_run_that_was_displaced_writes_what_it_would_have(
    smollm2_path: Path, vocab: Vocab
) -> None:
    with bench_of(smollm2_path, drafts_never_pay(), n_ctx=256, n_parallel=1) as bench:
        prompt = vocab.encode(STORY)[:40]
        alone = bench.generate(prompt, 16, ignore_eos=True)
        id = bench.submit(prompt, 16, ignore_eos=True, priority=1)
        running = bench.first(id)
        bench.run(lambda: len(running.ids) > 5)
        other = bench.submit([*range(2000, 2230)], 4, ignore_eos=True)  # needs all of the window
        bench.run(lambda: bool(bench.written[other]))
        assert bench.check()["waiting"] == 1
        bench.run()
        assert running.ids == alone.ids
        assert bench.written[other][0].finished.reason == "length"
