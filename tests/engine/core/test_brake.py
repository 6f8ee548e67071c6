from __future__ import annotations

from edge_agent.engine.core.brake import Brake


class Pulled:
    """Stands where llama.cpp's abort flag is."""

    def __init__(self) -> None:
        self.wanted = False
        self.brake = Brake(self.pull)

    def pull(self, wanted: bool) -> None:
        self.wanted = wanted


def test_a_cancel_stops_the_decode_that_computes_its_prompt() -> None:
    pulled = Pulled()
    assert pulled.brake.release(frozenset({1, 2}))
    pulled.brake.cancel(2)
    assert pulled.wanted


def test_a_cancel_of_anything_else_does_not() -> None:
    pulled = Pulled()
    pulled.brake.release(frozenset({1}))
    pulled.brake.cancel(9)
    pulled.brake.hold()
    pulled.brake.cancel(1)
    assert not pulled.wanted


def test_a_cancel_just_before_the_decode_is_not_lost() -> None:
    pulled = Pulled()
    pulled.brake.cancel(1)
    assert not pulled.brake.release(frozenset({1}))
    pulled.brake.forget(1)
    assert pulled.brake.release(frozenset({1}))


def test_the_next_decode_runs_after_one_was_stopped() -> None:
    pulled = Pulled()
    pulled.brake.release(frozenset({1}))
    pulled.brake.cancel(1)
    pulled.brake.forget(1)
    assert pulled.brake.release(frozenset({2}))
    assert not pulled.wanted
