"""States outside the cells: the bound, what goes first, and what is found again."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.chat.vocab import Vocab
from edge_agent.engine.client import EngineClient
from edge_agent.engine.kv.cells import Ids
from edge_agent.engine.kv.shelf import Shelf
from edge_agent.engine.kv.statefile import State
from edge_agent.engine.kv.vault import Vault
from edge_agent.engine.params import LoadSpec

from ..live import chat, generate, spec_of

MANY = 1 << 20


def ids_of(*tokens: int) -> Ids:
    return np.array(tokens, np.int32)


def run_of(token: int, n: int) -> Ids:
    return np.full(n, token, np.int32)


def state_of(n_bytes: int, fill: int = 1) -> State:
    return np.full(n_bytes, fill, np.uint8)


def holds(vault: Vault, ids: Ids) -> bool:
    found = vault.longest(ids)
    return found is not None and found[0] == len(ids) and vault.load(found[1]) is not None


def test_what_is_kept_is_found_and_loaded() -> None:
    vault = Vault(MANY, None)
    vault.keep(ids_of(1, 2, 3), state_of(10, 7))
    found = vault.longest(ids_of(1, 2, 9))
    assert found is not None and found[0] == 2
    assert found[1].ids.tolist() == [1, 2, 3] and found[1].n_bytes == 10
    loaded = vault.load(found[1])
    assert loaded is not None and loaded.tolist() == [7] * 10


def test_nothing_shared_is_nothing_found() -> None:
    vault = Vault(MANY, None)
    assert vault.longest(ids_of(1)) is None
    vault.keep(ids_of(1), state_of(1))
    vault.keep(ids_of(), state_of(1))
    assert vault.longest(ids_of(2)) is None and vault.longest(ids_of()) is None


def test_what_was_found_and_then_evicted_loads_as_none() -> None:
    vault = Vault(100, None)
    vault.keep(ids_of(1), state_of(60))
    found = vault.longest(ids_of(1))
    vault.keep(ids_of(2), state_of(60))
    assert found is not None and vault.load(found[1]) is None


def test_a_prefix_of_a_newer_state_is_dropped() -> None:
    vault = Vault(MANY, None)
    vault.keep(ids_of(1, 2), state_of(10))
    vault.keep(ids_of(1, 3), state_of(10))
    vault.keep(ids_of(1, 2, 3), state_of(15))
    assert vault.n_kept == 2 and holds(vault, ids_of(1, 2)) and holds(vault, ids_of(1, 3))


def test_a_prefix_of_an_older_state_is_not_kept_twice() -> None:
    vault = Vault(MANY, None)
    vault.keep(ids_of(1, 2, 3), state_of(15))
    vault.keep(ids_of(1, 2), state_of(10))
    assert vault.n_kept == 1
    assert vault.covers(ids_of(1, 2)) and not vault.covers(ids_of(1, 3))


def test_one_that_cannot_fit_is_not_kept_and_displaces_nothing() -> None:
    vault = Vault(100, None)
    vault.keep(ids_of(1), state_of(50))
    vault.keep(ids_of(2), state_of(101))
    assert holds(vault, ids_of(1)) and not holds(vault, ids_of(2))


def test_of_equally_recent_states_the_cheapest_to_compute_goes() -> None:
    vault = Vault(4 * 300 + 300, None)
    vault.keep(run_of(1, 200), state_of(100))
    vault.keep(run_of(2, 50), state_of(100))
    vault.keep(run_of(3, 120), state_of(100))
    assert holds(vault, run_of(1, 200)) and not holds(vault, run_of(2, 50))


def test_a_state_not_wanted_for_long_goes_before_a_cheaper_one() -> None:
    vault = Vault(4 * 350 + 300, None)
    vault.keep(run_of(1, 200), state_of(100))
    vault.keep(run_of(2, 100), state_of(100))
    for _ in range(5):
        assert holds(vault, run_of(2, 100))
    vault.keep(run_of(3, 100), state_of(100))
    assert holds(vault, run_of(2, 100)) and not holds(vault, run_of(1, 200))


def test_parked_states_go_after_all_others() -> None:
    vault = Vault(400, None)
    vault.park("a", ids_of(1), state_of(90))
    for token in range(2, 12):
        vault.keep(run_of(token, 20), state_of(90))
    resumed = vault.resume("a")
    assert resumed is not None and len(resumed[1]) == 90


def test_what_is_kept_never_displaces_what_is_parked() -> None:
    vault = Vault(300, None)
    vault.park("a", ids_of(1), state_of(200))
    vault.keep(run_of(2, 20), state_of(150))
    assert holds(vault, ids_of(1)) and vault.n_kept == 1


def test_a_parked_state_that_had_to_go_leaves_its_ids() -> None:
    vault = Vault(300, None)
    vault.park("a", ids_of(1, 2), state_of(200))
    vault.park("b", ids_of(3, 4), state_of(200))
    assert vault.longest(ids_of(1, 2)) is None
    resumed = vault.resume("a")
    assert resumed is not None and resumed[0].tolist() == [1, 2] and len(resumed[1]) == 0
    kept = vault.resume("b")
    assert kept is not None and len(kept[1]) == 200
    assert vault.bytes_held == 0


def test_one_too_large_to_park_leaves_its_ids() -> None:
    vault = Vault(100, None)
    vault.park("a", ids_of(1, 2), state_of(200))
    resumed = vault.resume("a")
    assert resumed is not None and resumed[0].tolist() == [1, 2] and len(resumed[1]) == 0


def test_even_the_ids_go_when_they_do_not_fit() -> None:
    vault = Vault(100, None)
    vault.park("a", run_of(1, 26), state_of(200))
    assert vault.resume("a") is None
    vault.park("b", run_of(1, 20), state_of(200))
    vault.park("c", run_of(2, 20), state_of(200))
    assert vault.resume("b") is None and vault.resume("c") is not None


def test_resume_removes_and_an_unknown_name_is_none() -> None:
    vault = Vault(MANY, None)
    vault.park("a", ids_of(1), state_of(5))
    assert vault.resume("a") is not None
    assert vault.resume("a") is None and vault.longest(ids_of(1)) is None


def test_parking_a_name_again_replaces() -> None:
    vault = Vault(MANY, None)
    vault.park("a", ids_of(1), state_of(5))
    vault.park("a", ids_of(2), state_of(6))
    assert vault.n_kept == 1 and not holds(vault, ids_of(1))
    resumed = vault.resume("a")
    assert resumed is not None and resumed[0].tolist() == [2] and len(resumed[1]) == 6


def test_what_is_parked_is_shared_too() -> None:
    vault = Vault(MANY, None)
    vault.park("a", ids_of(1, 2), state_of(5))
    assert holds(vault, ids_of(1, 2))
    vault.forget("a")
    vault.forget("never heard of")
    assert not holds(vault, ids_of(1, 2)) and vault.bytes_held == 0


def test_a_view_of_a_large_buffer_does_not_hold_the_buffer() -> None:
    vault = Vault(100, None)
    buffer = state_of(1 << 16)
    vault.keep(ids_of(1), buffer[:50])
    buffer[:] = 9
    found = vault.longest(ids_of(1))
    loaded = vault.load(found[1]) if found else None
    assert loaded is not None and loaded.tolist() == [1] * 50 and loaded.base is None


def test_a_view_of_a_whole_buffer_is_not_copied() -> None:
    vault = Vault(MANY, None)
    buffer = state_of(500)
    vault.keep(ids_of(1), buffer[:500])
    found = vault.longest(ids_of(1))
    loaded = vault.load(found[1]) if found else None
    assert loaded is not None and np.shares_memory(loaded, buffer)


def test_ids_changed_after_keeping_change_nothing() -> None:
    vault = Vault(MANY, None)
    ids = ids_of(1, 2, 3)
    vault.keep(ids, state_of(5))
    ids[:] = 7
    assert holds(vault, ids_of(1, 2, 3))


TOKENS = st.lists(st.integers(0, 2), min_size=1, max_size=6)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["keep", "park", "resume", "forget", "load"]),
        st.lists(st.integers(0, 1), min_size=1, max_size=4),
        st.integers(0, 160),
        st.sampled_from(["a", "b", "c"]),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(STEPS)
def test_the_bound_holds_and_longest_is_right_after_every_step(
    steps: list[tuple[str, list[int], int, str]],
) -> None:
    vault = Vault(300, None)
    for step, tokens, n_bytes, name in steps:
        found = vault.longest(ids_of(*tokens))
        if step == "load" and found:
            loaded = vault.load(found[1])
            assert loaded is not None and len(loaded) == found[1].n_bytes
        elif step == "keep":
            vault.keep(ids_of(*tokens), state_of(n_bytes))
        elif step == "park":
            vault.park(name, ids_of(*tokens), state_of(n_bytes))
        elif step == "resume":
            vault.resume(name)
        elif step == "forget":
            vault.forget(name)
        assert vault.bytes_held <= 300
        check_longest(vault, tokens)


def shared(a: list[int], b: list[int]) -> int:
    """Length of the longest common prefix, the slow way."""
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )


def check_longest(vault: Vault, prompt: list[int]) -> None:
    """No state that any prompt can find shares more with this one than what it finds."""
    held = {
        tuple(found[1].ids.tolist())
        for tokens in every_prompt()
        if (found := vault.longest(ids_of(*tokens)))
    }
    best = max((shared(list(ids), prompt) for ids in held), default=0)
    found = vault.longest(ids_of(*prompt))
    assert (found[0] if found else 0) == best


def every_prompt() -> list[list[int]]:
    return [list(bits) for bits in itertools.product(range(2), repeat=4)]


@settings(deadline=None)
@given(st.lists(TOKENS, max_size=12), TOKENS)
def test_longest_equals_a_brute_force(kept: list[list[int]], prompt: list[int]) -> None:
    vault = Vault(MANY, None)
    for tokens in kept:
        vault.keep(ids_of(*tokens), state_of(len(tokens)))
    best = max((shared(tokens, prompt) for tokens in kept), default=0)
    found = vault.longest(ids_of(*prompt))
    assert (found[0] if found else 0) == best


@settings(deadline=None)
@given(st.lists(st.tuples(TOKENS, st.integers(1, 100)), min_size=1, max_size=12))
def test_the_newest_that_fits_is_always_there(puts: list[tuple[list[int], int]]) -> None:
    vault = Vault(130, None)
    for tokens, n_bytes in puts:
        vault.keep(ids_of(*tokens), state_of(n_bytes))
        assert holds(vault, ids_of(*tokens))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "prefixes"


def vault_on(folder: Path, notices: list[str] | None = None) -> Vault:
    heard = notices if notices is not None else []
    return Vault(MANY, Shelf(folder, MANY, "a model", heard.append, spare_bytes=0))


def test_a_pin_survives_a_restart(folder: Path) -> None:
    vault = vault_on(folder)
    vault.pin(ids_of(1, 2, 3), state_of(50, 8))
    vault.close()
    again = vault_on(folder)
    found = again.longest(ids_of(1, 2, 3, 4))
    assert found is not None and found[0] == 3
    loaded = again.load(found[1])
    assert loaded is not None and loaded.tolist() == [8] * 50
    assert again.n_kept == 0 and again.bytes_held == 0
    again.close()


def test_a_pin_that_is_on_disk_is_not_written_again(folder: Path) -> None:
    vault = vault_on(folder)
    vault.pin(ids_of(1, 2, 3), state_of(50))
    vault.close()
    again = vault_on(folder)
    (before,) = [path.stat().st_ino for path in folder.iterdir()]
    assert again.pinned(ids_of(1, 2, 3)) and again.pinned(ids_of(1, 2))
    again.pin(ids_of(1, 2, 3), state_of(50))
    again.pin(ids_of(1, 2), state_of(40))
    again.close()
    assert [path.stat().st_ino for path in folder.iterdir()] == [before]


def test_memory_comes_before_disk_when_they_share_as_much(folder: Path) -> None:
    vault = vault_on(folder)
    vault.pin(ids_of(1, 2), state_of(10))
    vault.close()
    again = vault_on(folder)
    again.keep(ids_of(1, 2, 3), state_of(15))
    found = again.longest(ids_of(1, 2))
    assert found is not None and found[1].n_bytes == 15
    again.keep(ids_of(5), state_of(5))
    again.close()


def test_disk_comes_before_memory_when_it_shares_more(folder: Path) -> None:
    vault = vault_on(folder)
    vault.pin(ids_of(1, 2, 3, 4), state_of(10))
    vault.close()
    again = vault_on(folder)
    again.keep(ids_of(1, 2, 9), state_of(15))
    found = again.longest(ids_of(1, 2, 3, 4))
    assert found is not None and found[0] == 4 and again.load(found[1]) is not None
    again.close()


def test_a_damaged_pin_is_forgotten_and_may_be_pinned_again(folder: Path) -> None:
    vault = vault_on(folder)
    vault.pin(ids_of(1, 2), state_of(50))
    vault.close()
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    notices: list[str] = []
    again = vault_on(folder, notices)
    found = again.longest(ids_of(1, 2))
    assert found is not None and again.load(found[1]) is None and len(notices) == 1
    again.pin(ids_of(1, 2), state_of(50))
    again.close()
    assert vault_on(folder).pinned(ids_of(1, 2))


def test_without_a_shelf_there_is_nothing_to_pin() -> None:
    vault = Vault(MANY, None)
    assert vault.pinned(ids_of(1))
    vault.pin(ids_of(1), state_of(5))
    vault.close()
    assert vault.bytes_held == 0


async def test_a_restarted_engine_begins_warm(smollm2_path: Path, folder: Path) -> None:
    notices: list[str] = []
    spec = replace(spec_of(smollm2_path), cache_dir=str(folder))
    vocab = Vocab.load(smollm2_path)
    system = vocab.encode("<|im_start|>system\n" + "The lamp is on the pier. " * 30)
    prompt = [*system, *chat(vocab, "Where is the lamp?")]
    cold = await answer(spec, prompt, len(system), notices)
    warm = await answer(spec, prompt, len(system), notices)
    other = await answer(replace(spec, kv_type="q8_0"), prompt, len(system), notices)
    assert cold[1] == 0 and warm[1] >= len(system) - 1 and warm[0] == cold[0]
    assert other[1] == 0, "keys and values of another type are not these"
    assert notices == []


async def answer(
    spec: LoadSpec, prompt: list[int], pin: int, notices: list[str]
) -> tuple[list[int], int]:
    """What a fresh engine process writes, and how much of the prompt it had already."""
    engine = EngineClient(spec, notice=notices.append)
    await engine.start()
    ids, finished = await generate(engine, prompt, 12, pin=pin)
    await engine.close()
    return ids, finished.usage.cached_tokens
