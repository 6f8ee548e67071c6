"""Counts over several lives, and what is in flight."""

from __future__ import annotations

from edge_agent.engine.account import Account
from edge_agent.engine.counts import Counts
from edge_agent.engine.streams import Streams


def test_what_ended_is_kept_and_what_runs_is_its_last_word() -> None:
    account = Account()
    account.saw(Counts(requests=1, longest=50, gauges={"cells": 8}))
    account.saw(Counts(requests=3, longest=70, gauges={"cells": 9}))
    assert (account.total.requests, account.total.longest) == (3, 70)
    account.life_over()
    assert account.total == Counts(requests=3, longest=70, gauges={"cells": 9})
    account.saw(Counts(requests=2, longest=60))
    assert (account.total.requests, account.total.longest) == (5, 70)


def test_a_life_that_was_never_asked_adds_nothing() -> None:
    account = Account()
    account.saw(Counts(predicted_tokens=4))
    for _ in range(3):
        account.life_over()
    assert account.total.predicted_tokens == 4


async def test_who_only_looks_does_not_make_it_busy() -> None:
    streams = Streams()
    look, _ = streams.open(is_use=False)
    assert not streams.is_busy() and len(streams) == 1
    use, _ = streams.open()
    assert streams.is_busy()
    streams.close(use)
    assert not streams.is_busy()
    streams.close(look)
    assert len(streams) == 0 and not streams.is_busy()
