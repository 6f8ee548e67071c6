from __future__ import annotations

import pytest

from edge_agent.engine.core.scheduler import LEAST_CHUNK, READER_GAP_S, WORTH_WAITING
from edge_agent.engine.core.sequence import PATIENCE_S, Sequence
from edge_agent.errors import EngineBusy

from ..fakes import TOKENS_PER_S, Rig, ScriptedPace


def test_decodes_come_first_and_a_long_prompt_comes_in_small_chunks_beside_them() -> None:
    rig = Rig()
    chatting = rig.add(10)
    rig.step()
    long = rig.add(500)
    plan = rig.plan()
    assert list(plan) == [chatting, long]
    assert plan[chatting] == 1
    assert LEAST_CHUNK <= plan[long] < 256


def chunk_beside_a_reader(rig: Rig, priority: int) -> int:
    """Tokens that a prompt of 900 gets in a step beside a stream that is being read."""
    rig.add(10)
    rig.step()
    prompt = rig.add(900, priority)
    return rig.plan()[prompt]


@pytest.mark.parametrize("priority", [0, 1])
@pytest.mark.parametrize("tokens_per_s", [60.0, 250.0, 500.0])
def test_a_chunk_beside_a_reader_is_the_largest_that_keeps_the_gap(
    priority: int, tokens_per_s: float
) -> None:
    pace = ScriptedPace(lambda n_tokens: n_tokens / tokens_per_s)
    chunk = chunk_beside_a_reader(Rig(n_batch=512, pace=pace), priority)
    gap_s = READER_GAP_S[priority]
    assert pace.seconds(chunk + 1) <= gap_s or chunk == LEAST_CHUNK
    assert pace.seconds(2 * chunk + 1) > gap_s or chunk == 512


def test_a_background_prompt_gets_less_beside_a_reader_than_an_interactive_one() -> None:
    assert chunk_beside_a_reader(Rig(), 1) < chunk_beside_a_reader(Rig(), 0)


def test_a_slow_device_still_gives_a_prompt_the_least_chunk() -> None:
    assert chunk_beside_a_reader(Rig(pace=ScriptedPace(float)), 0) == LEAST_CHUNK


@pytest.mark.parametrize("priority", [0, 1])
def test_a_chunk_that_was_asked_for_is_kept_whatever_the_pace(priority: int) -> None:
    assert chunk_beside_a_reader(Rig(shared_chunk=40), priority) == 40


def test_prompts_beside_a_reader_share_one_chunk() -> None:
    rig = Rig(n_parallel=4)
    rig.add(10)
    rig.step()
    prompts = [rig.add(100), rig.add(100)]
    alone = chunk_beside_a_reader(Rig(), 0)
    plan = rig.plan()
    assert sum(plan.get(prompt, 0) for prompt in prompts) == alone


def test_nobody_reads_a_background_stream_so_a_prompt_takes_the_whole_batch() -> None:
    rig = Rig()
    background = rig.add(10, priority=1)
    rig.step()
    prompt = rig.add(500)
    assert rig.plan() == {background: 1, prompt: 255}


def test_a_step_that_cannot_be_broken_off_stays_short_though_nobody_reads() -> None:
    rig = Rig(longest_step_s=0.2)
    prompt = rig.add(500)
    assert rig.plan() == {prompt: 32}  # 0.13 s; 64 would take 0.26


def test_alone_a_prompt_takes_the_whole_batch() -> None:
    rig = Rig()
    rig.add(500)
    assert rig.step()[0].n_tokens == 256


def test_the_shorter_prompt_is_prefilled_first() -> None:
    rig = Rig()
    rig.add(200)
    short = rig.add(20)
    assert rig.step()[0].sequence is short


def test_interactive_is_admitted_before_background() -> None:
    rig = Rig(n_parallel=1)
    rig.add(5, priority=1)
    now = rig.add(5, priority=0)
    assert rig.step()[0].sequence is now


def test_a_batch_never_exceeds_its_size() -> None:
    rig = Rig(n_batch=70)
    for _ in range(3):
        rig.add(50)
    for _ in range(10):
        assert sum(share.n_tokens for share in rig.step()) <= 70


def test_when_cells_run_out_the_youngest_waits_and_nobody_is_lost() -> None:
    rig = Rig(n_cells=60)
    old, young = rig.add(20), rig.add(20)
    for _ in range(30):
        rig.step()
    assert rig.scheduler.running == [old]
    assert list(rig.scheduler.waiting) == [young]
    assert young.computed == 0
    assert young.n_generated > 0
    assert not old.ended
    rig.scheduler.remove(old)
    rig.step()
    assert rig.scheduler.running == [young]
    assert young.computed > 20


def test_alone_in_a_full_window_the_generation_ends_with_length() -> None:
    rig = Rig(n_cells=30)
    only = rig.add(20)
    for _ in range(20):
        rig.step()
    assert only.ended == "length"
    assert rig.cache.n_free == 0


def test_a_request_that_does_not_fit_beside_another_waits_for_it() -> None:
    rig = Rig(n_cells=100)
    first = rig.add(60)
    second = rig.add(60)
    rig.step()
    assert rig.scheduler.running == [first]
    rig.scheduler.remove(first)
    rig.step()
    assert rig.scheduler.running == [second]


def test_past_the_queue_limit_a_request_is_refused_with_a_time_to_come_back() -> None:
    rig = Rig()
    for _ in range(5):
        rig.add(5)
    with pytest.raises(EngineBusy) as refused:
        rig.add(5)
    assert refused.value.retry_after_s > 0


def test_background_that_has_waited_long_enough_goes_before_new_interactive_work() -> None:
    rig = Rig(n_parallel=1)
    old = rig.add(5, priority=1)
    rig.add(5)
    old.submitted_at -= PATIENCE_S + 1
    assert rig.step()[0].sequence is old


def test_a_long_prompt_is_passed_by_shorter_ones_for_so_long_only() -> None:
    rig = Rig()
    long = rig.add(500)
    rig.add(20)
    long.submitted_at -= 500 / TOKENS_PER_S + 1
    assert rig.step()[0].sequence is long


def test_an_interactive_request_takes_the_place_of_a_background_one_which_keeps_its_cells() -> None:
    rig = Rig(n_parallel=2)
    background = [rig.add(50, priority=1) for _ in range(2)]
    rig.step()
    now = rig.add(10)
    rig.step()
    assert now in rig.scheduler.running
    (parked,) = rig.scheduler.waiting
    assert parked is background[1]
    rig.scheduler.remove(now)
    rig.step()
    assert parked in rig.scheduler.running
    assert parked.n_pending == 1  # nothing was computed again


def test_interactive_requests_do_not_take_one_anothers_places() -> None:
    rig = Rig(n_parallel=1)
    first = rig.add(10)
    rig.step()
    rig.add(10)
    rig.step()
    assert rig.scheduler.running == [first]


def test_a_request_is_not_kept_waiting_for_cells_that_it_shares_with_a_busy_one() -> None:
    rig = Rig(n_cells=100)
    first = rig.add(60, token=7)
    rig.step()
    second = rig.add(70, token=7)
    rig.step()
    assert rig.scheduler.running == [first, second]


def test_cached_tokens_are_those_found_at_the_start_not_its_own_found_again() -> None:
    rig = Rig(n_parallel=1)
    background = rig.add(50, priority=1)
    rig.step()
    rig.scheduler.remove(rig.add(5))  # comes and goes
    background.started_at = background.now()
    now = rig.add(5)
    rig.step()
    rig.scheduler.remove(now)
    rig.step()
    assert background in rig.scheduler.running
    assert background.n_cached == 0


def test_sequences_that_are_computed_again_share_one_batch() -> None:
    rig = Rig(n_parallel=4, n_batch=70)
    resumed = [rig.add(60) for _ in range(4)]
    for sequence in resumed:
        sequence.tokens.append(0)  # it had generated before it was sent back
    for _ in range(20):
        assert 0 < sum(share.n_tokens for share in rig.step()) <= 70


def test_the_last_prompt_token_waits_for_the_grammar() -> None:
    rig = Rig()
    waiting, other = rig.add(10), rig.add(10)
    waiting.awaits_grammar = True
    rig.step()
    assert (waiting.n_pending, waiting.n_generated) == (1, 0)
    assert [share.sequence for share in rig.step()] == [other]
    waiting.awaits_grammar = False
    rig.step()
    assert waiting.n_generated == 1


# a prefix that another is computing


def test_it_does_not_wait_for_a_prefix_that_is_there_already() -> None:
    rig = Rig()
    rig.add_tokens([7] * 400)
    rig.step()
    rig.step()
    first = rig.add_tokens([*[7] * 400, *[8] * 300])
    second = rig.add_tokens([*[7] * 400, *[9] * 50])
    rig.step()
    assert {first, second} <= set(rig.scheduler.running)


def test_a_sequence_that_was_sent_back_keeps_its_tokens_and_computes_none_twice() -> None:
    rig = Rig()
    sequence = rig.add(100)
    for _ in range(5):
        rig.step()
    tokens = list(sequence.tokens)
    rig.scheduler.preempt(sequence)
    assert (sequence.tokens, rig.cache.n_busy) == (tokens, 0)
    assert rig.plan() == {sequence: 1}
    assert sequence.tokens[:-1] == tokens
    assert rig.cache.ids(sequence.slot).tolist() == tokens


def test_a_sequence_whose_cells_were_needed_comes_back_through_the_vault() -> None:
    rig = Rig(n_cells=300, n_parallel=1, cache_bytes=1 << 20)
    sequence = rig.add(150, priority=1)
    rig.step()
    rig.scheduler.preempt(sequence)
    other = rig.add(280)
    while other.n_generated < 2:
        rig.step()
    rig.scheduler.remove(other)
    assert rig.plan() == {sequence: 1}
    assert rig.memory.n_exact(sequence.slot) == 151


def test_no_room_gives_way_step_by_step_and_loses_nobody() -> None:
    rig = Rig(n_batch=64)
    rig.scheduler.remove(rig.add(5))
    parked = rig.add(10)
    rig.step()
    rig.scheduler.remove(parked)
    old, young = rig.add(200), rig.add(200)
    old.submitted_at -= 1
    rig.refuse()
    assert rig.cache.n_parked == 0  # first what nobody uses
    assert rig.scheduler.running == [old, young]
    rig.refuse()
    assert rig.scheduler.running == [old]  # then the last in line
    rig.scheduler.remove(young)
    limits = []
    while not old.ended:
        limits.append(sum(share.n_tokens for share in rig.scheduler.plan()))
        rig.scheduler.no_room()
    assert limits == [64, 32, 16, 8, 4, 2, 1]  # then smaller steps, and at last the end
    assert old.ended == "length"


def test_pinned_prefixes_go_before_anybody_is_sent_back_for_want_of_room() -> None:
    rig = Rig()
    old, young = rig.add(20), rig.add(20)
    rig.step()
    rig.cache.pin(old.slot, 20)
    rig.refuse()
    assert not rig.cache.pinned
    assert rig.scheduler.running == [old, young]


def test_a_step_that_had_room_opens_the_batch_again() -> None:
    rig = Rig(n_batch=64)
    only = rig.add(500)
    rig.refuse()
    assert rig.plan() == {only: 32}
    rig.scheduler.had_room()
    assert rig.plan() == {only: 64}


def test_alone_in_a_full_window_a_sequence_takes_the_room_of_pinned_prefixes() -> None:
    rig = Rig(n_cells=40)
    other = rig.add(12)
    rig.step()
    rig.cache.pin(other.slot, 10)
    rig.scheduler.remove(other)
    only = rig.add(35)
    rig.step()
    assert only.n_generated == 1
    assert not only.ended


def test_a_prefix_that_another_is_computing_is_computed_once() -> None:
    rig = Rig(n_batch=100)
    shared = list(range(1000, 1300))
    first = rig.add_tokens([*shared, 1])
    second = rig.add_tokens([*shared, 2])
    other = rig.add(50)
    computed: dict[Sequence, int] = {first: 0, second: 0, other: 0}
    while not all(s.is_decoding for s in computed):
        for sequence, n_tokens in rig.plan().items():
            computed[sequence] += n_tokens
    assert computed[second] <= WORTH_WAITING + 2
    assert second.n_cached >= len(shared) - WORTH_WAITING
    assert first.n_cached == other.n_cached == 0


def test_who_waits_for_a_prefix_lets_others_pass() -> None:
    rig = Rig(n_batch=100)
    shared = list(range(1000, 1300))
    rig.add_tokens([*shared, 1])
    waiting = rig.add_tokens([*shared, 2])
    other = rig.add(50)
    rig.step()
    assert waiting in rig.scheduler.waiting
    assert other in rig.scheduler.running


def test_who_waits_for_a_prefix_goes_on_when_the_other_is_gone() -> None:
    rig = Rig(n_batch=100)
    shared = list(range(1000, 1300))
    first = rig.add_tokens([*shared, 1])
    second = rig.add_tokens([*shared, 2])
    rig.step()
    rig.scheduler.remove(first)
    assert rig.plan() == {second: 100}
    assert second.n_cached == 100


def test_a_fresh_request_shares_nothing_and_waits_for_nobodys_prefix() -> None:
    rig = Rig(n_batch=64)
    first = rig.add(200, token=7)
    rig.step()
    fresh, other = rig.add(200, token=7, fresh=True), rig.add(200, token=7)
    plan = rig.plan()
    assert fresh.slot != first.slot
    assert (fresh.n_cached, sum(plan.values())) == (0, 64)
    assert other in rig.scheduler.waiting  # for what the first one computes


def test_a_fresh_request_that_was_sent_back_goes_on_from_what_it_has() -> None:
    rig = Rig()
    fresh = rig.add(100, fresh=True)
    rig.step()
    fresh.started_at = 1.0  # by the engine, as it computes
    rig.scheduler.preempt(fresh)
    assert rig.plan() == {fresh: 1}


def test_forced_tokens_of_a_stream_that_is_alone_are_computed_at_once() -> None:
    rig = Rig(pace=ScriptedPace(float))
    stream = rig.add(10)
    rig.step()
    stream.tokens += [5] * 99
    assert rig.plan() == {stream: 100}
