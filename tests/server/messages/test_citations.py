"""What the agent cites, in Anthropic's form: a block of text for each claim, its proof with it."""

from __future__ import annotations

import anthropic
import pytest

from edge_agent.agent.records import Answered, RunStarted, ThoughtDelta
from edge_agent.chat.messages import Cited, Text
from edge_agent.server.messages.citations import blocks_of
from edge_agent.server.services import Services
from tests.patience import HANG_S
from tests.server.conftest import Serving
from tests.server.fakes import RUN, FakeAgent, FakeChat
from tests.server.research.test_model import BOAT, ISLE, LONG, MARKED

SCRIPT = (
    RunStarted("run-1", RUN.task, RUN.model),
    ThoughtDelta(1, "Who?"),
    Answered(LONG),
)
USER: list[anthropic.types.MessageParam] = [{"role": "user", "content": "Who keeps the light?"}]
BLOCKS = [
    ("Ada Holm keeps the light. [1]", [ISLE]),
    (" Boats come on Mondays. [2][1]", [BOAT, ISLE]),
    (MARKED.split("[2][1]")[1], []),
]


@pytest.fixture
def client(serving: Serving) -> anthropic.Anthropic:
    url = serving(Services(FakeChat(), FakeAgent(SCRIPT)))
    return anthropic.Anthropic(base_url=url, api_key="unused", max_retries=0, timeout=HANG_S)


def seen(message: anthropic.types.Message) -> list[tuple[str, list[tuple[str, str | None, str]]]]:
    found = []
    for block in message.content:
        if block.type == "text":
            cited = [c for c in block.citations or [] if c.type == "web_search_result_location"]
            found.append((block.text, [(c.url, c.title, c.cited_text) for c in cited]))
    return found


EXPECTED = [(text, [(c.url, c.title, c.quote) for c in cited]) for text, cited in BLOCKS]


def test_each_claim_is_a_block_with_its_proof(client: anthropic.Anthropic) -> None:
    message = client.messages.create(model="agent", max_tokens=100, messages=USER)
    assert seen(message) == EXPECTED
    assert "".join(text for text, _ in seen(message)) == MARKED
    assert message.content[0].type == "thinking" and message.content[1].type == "text"


def test_a_stream_tells_the_same_by_citations_delta(client: anthropic.Anthropic) -> None:
    with client.messages.stream(model="agent", max_tokens=100, messages=USER) as stream:
        told = [event.citation for event in stream if event.type == "citation"]
        assert seen(stream.get_final_message()) == EXPECTED
    assert [c.type for c in told] == ["web_search_result_location"] * 3


def test_what_was_cited_can_be_sent_back(client: anthropic.Anthropic) -> None:
    first = client.messages.create(model="agent", max_tokens=100, messages=USER)
    again = [*USER, {"role": "assistant", "content": first.content}, *USER]
    message = client.messages.create(model="agent", max_tokens=100, messages=again)  # type: ignore[arg-type]
    assert seen(message) == EXPECTED


@pytest.mark.parametrize(
    ("text", "marks", "pieces"),
    [
        ("a [1]", [(2, 5, 0)], ["a [1]"]),
        ("So a [1] b", [(5, 8, 3)], ["So ", "a [1]", " b"]),
        ("a [1] b [2]", [(2, 5, 0), (8, 11, 6)], ["a [1]", " b [2]"]),
        ("a [1]", [(2, 5, None)], ["a ", "[1]"]),
        ("ab [1]c", [(3, 6, 0), (3, 6, 1)], ["ab [1]", "c"]),
    ],
)
def test_nothing_of_a_text_is_lost_in_its_blocks(
    text: str, marks: list[tuple[int, int, int | None]], pieces: list[str]
) -> None:
    cited = tuple(Cited(start, end, "u", "t", since) for start, end, since in marks)
    made = [piece for piece, _ in blocks_of(Text(text, citations=cited))]
    assert [piece for piece in made if piece] == pieces
    assert "".join(made) == text
