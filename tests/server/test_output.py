"""What a model writes cannot break the wire."""

from __future__ import annotations

import json
import math
from typing import Any

import httpx
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.agent.records import Answered, ToolCalled
from edge_agent.chat.messages import Done, Text
from edge_agent.server.output import to_json
from edge_agent.server.services import Services
from edge_agent.server.streaming import frame
from tests.server.conftest import Serving
from tests.server.fakes import RUN, USAGE, FakeAgent, FakeChat

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(ANYTHING)
def test_every_value_is_one_line_of_strict_json(value: Any) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    json.loads(to_json({"value": value}), parse_constant=refuse)
    assert frame({"value": value}).count(b"\n") == 2


def test_text_is_not_escaped() -> None:
    assert to_json({"a": "é\n", "b": [math.nan, 1.5], "c": "\ud83d"}) == (
        '{"a":"é\\n","b":[null,1.5],"c":"?"}'.encode()
    )


def test_half_an_emoji_does_not_end_a_stream(serving: Serving) -> None:
    chat = FakeChat([Text("a\ud83d"), Done("stop", USAGE)])
    agent = FakeAgent([ToolCalled(1, 1, "f", {"x": math.inf, "y": "\ud83d"}), Answered(RUN)])
    url = serving(Services(chat, agent))
    body = {"messages": [{"role": "user", "content": "Hi"}]}
    whole = httpx.post(f"{url}/v1/chat/completions", json=body)
    assert whole.json()["choices"][0]["message"]["content"] == "a?"
    streamed = httpx.post(f"{url}/v1/chat/completions", json={**body, "stream": True})
    assert streamed.text.endswith("data: [DONE]\n\n")
    run = httpx.post(f"{url}/agent/run", json={"task": "x", "stream": True})
    assert '"arguments":{"x":null,"y":"?"}' in run.text and "event: answer" in run.text
