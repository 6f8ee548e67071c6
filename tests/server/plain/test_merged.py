from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from edge_agent.chat.messages import Done, Text
from edge_agent.engine.params import Usage
from edge_agent.errors import EngineBusy
from edge_agent.server.plain.merged import merged
from tests.server.fakes import Forever, Pause, Script

DONE = Done("stop", Usage())


async def test_all_streams_are_heard_to_their_ends() -> None:
    scripts = [Script([Text("a"), Pause(0.02), DONE]), Script([Text("b"), DONE])]
    events = [event async for event in merged([script.play() for script in scripts])]
    assert sorted((place, type(event).__name__) for place, event in events) == [
        (0, "Done"),
        (0, "Text"),
        (1, "Done"),
        (1, "Text"),
    ]
    assert events[-1] == (0, DONE)


async def test_closing_it_closes_every_stream() -> None:
    scripts = [Script([Forever(Text("a"))]), Script([Forever(Text("b"))])]
    async with aclosing(merged([script.play() for script in scripts])) as events:
        heard = {(await anext(events))[0] for _ in range(4)}
    assert heard == {0, 1}
    assert [(script.open, script.closed) for script in scripts] == [(0, 1), (0, 1)]


async def test_an_error_of_one_ends_the_others() -> None:
    scripts = [Script([Pause(0.01), EngineBusy("full", 1.0)]), Script([Forever(Text("b"))])]
    with pytest.raises(EngineBusy):
        async for _ in merged([script.play() for script in scripts]):
            pass
    await asyncio.sleep(0)
    assert [script.open for script in scripts] == [0, 0]
