"""The suites' sizes fit the window that is loaded for them."""

from __future__ import annotations

import pytest

from edge_agent.bench.sizes import QUICK, TEMPLATE, TURN_TOKENS, Sizes


@pytest.mark.parametrize("sizes", [QUICK, Sizes()])
def test_the_window_holds_the_largest_suite(sizes: Sizes) -> None:
    assert sizes.n_ctx >= sizes.transcript + sizes.transcript - sizes.pruned
    assert sizes.n_ctx >= sizes.long + sizes.short + sizes.read
    a_share = sizes.n_ctx // sizes.many
    assert a_share > sizes.long + TEMPLATE
    assert a_share > sizes.prompt + sizes.turns * (sizes.observation + TURN_TOKENS)


def test_a_stream_outlasts_the_prefill_beside_it() -> None:
    sizes = Sizes()
    assert sizes.read > sizes.long / min(sizes.chunks)
