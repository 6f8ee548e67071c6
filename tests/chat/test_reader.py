"""Continuations of one prompt, read through the model they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from edge_agent.chat.messages import (
    CallPiece,
    ChatRequest,
    Done,
    Event,
    Grammar,
    Message,
    Text,
    ToolCall,
)
from edge_agent.chat.model import ChatModel
from edge_agent.chat.template import ChatTemplate
from edge_agent.engine.params import FinishReason, SamplingParams
from edge_agent.errors import NotFound

from .fakes import CHATML, THINKER, TOOLS, FakeEngine, FakeVocab

VOCAB = FakeVocab(thinks=True)
ASKED = (Message("user", "Who?"),)
CALLED = '<tool_call>\n{"name": "search", "arguments": {"query": ["a"]}}\n</tool_call>'


def chat(
    *said: str | Sequence[int],
    source: str = CHATML,
    reason: FinishReason = "stop",
    step: int = 3,
    cached: int = 0,
) -> tuple[ChatModel, FakeEngine]:
    scripts = [VOCAB.encode(s) if isinstance(s, str) else s for s in said]
    engine = FakeEngine(*scripts, reason=reason, step=step, cached=cached)
    sampling = SamplingParams()
    return ChatModel("fake", VOCAB, engine, ChatTemplate(source), 4096, sampling), engine


async def events_of(model: ChatModel, **fields: object) -> list[Event]:
    request = ChatRequest(ASKED, **fields)  # type: ignore[arg-type]
    return [event async for event in model.stream(model.prepare(request))]


def text_of(events: Sequence[Event], choice: int = 0) -> str:
    mine = (e for e in events if isinstance(e, Text) and e.choice == choice)
    return "".join(e.text for e in mine)


def done_of(events: Sequence[Event], choice: int = 0) -> Done:
    (done,) = (e for e in events if isinstance(e, Done) and e.choice == choice)
    return done


async def test_each_continuation_is_read_by_itself() -> None:
    said = ("Hé, one.", f"Hm.</think>{CALLED}", "A much longer third one.")
    model, engine = chat(*said, source=THINKER, step=2)
    events = await events_of(model, tools=TOOLS, n=3, prefill="Hm</think>")
    assert engine.submitted[0][1].n == 3
    assert [text_of(events, i) for i in range(3)] == [said[0], "Hm.</think>", said[2]]
    assert [e.choice for e in events if isinstance(e, ToolCall)] == [1]
    assert [done_of(events, i).reason for i in range(3)] == ["stop", "tool_calls", "stop"]
    for i in range(3):
        assert list(done_of(events, i).ids) == VOCAB.encode(said[i])


async def test_a_stop_string_ends_one_continuation_and_not_the_others() -> None:
    model, engine = chat("One. STOP and more", "Two goes on, on and on.", step=1)
    events = await events_of(model, stop=("STOP",), n=2)
    assert (text_of(events), text_of(events, 1)) == ("One. ", "Two goes on, on and on.")
    assert VOCAB.text(done_of(events).ids) == "One. STOP"
    assert (done_of(events).reason, done_of(events, 1).reason) == ("stop", "stop")
    assert isinstance(events[-1], Done) and events[-1].choice == 1
    assert engine.closed == 1


async def test_when_stop_strings_have_ended_all_the_engine_is_told() -> None:
    model, engine = chat("One. STOP" + "x" * 99, "STOP" + "x" * 99, step=1)
    events = await events_of(model, stop=("STOP",), n=2)
    assert [type(e) for e in events].count(Done) == 2
    assert engine.closed == 1
    assert engine.given == 2 * len("One. STOP") - 1


async def test_the_whole_of_several_is_the_first() -> None:
    model, _ = chat("One", "Two and more")
    whole = await model.complete(model.prepare(ChatRequest(ASKED, n=2)))
    assert (whole.text, VOCAB.text(whole.done.ids)) == ("One", "One")


async def test_what_was_cached_is_told_of_a_generation_that_a_stop_string_ended() -> None:
    for stop in ((), ("STOP",)):
        model, _ = chat("One STOP two", cached=11)
        used = done_of(await events_of(model, stop=stop)).usage
        assert used.cached_tokens == 11
        assert used.completion_tokens == (12 if not stop else 9)


async def test_tokens_come_with_the_text_they_are_part_of() -> None:
    for step in (1, 2, 99):
        model, _ = chat("Hé 🦉.  ", step=step)
        events = await events_of(model, n_logprobs=2)
        for event in events:
            if isinstance(event, Text):
                assert b"".join(t.bytes for t in event.logprobs) == event.text.encode()
                assert all(len(t.top) == 2 for t in event.logprobs)
        tokens = [t for e in events if isinstance(e, Text) for t in e.logprobs]
        assert [t.logprob for t in tokens] == [-float(i) for i in "Hé 🦉.  ".encode()]


async def test_tokens_of_a_stop_string_and_a_thought_are_not_told_and_of_a_call_apart() -> None:
    model, _ = chat(f"Hm.</think>\n\nWell, STOP, no.{CALLED}STOP x", source=THINKER, step=1)
    events = await events_of(model, tools=TOOLS, stop=("STOP x",), n_logprobs=0)
    assert spelled(e for e in events if isinstance(e, Text)) == "Well, STOP, no."
    assert spelled(e for e in events if isinstance(e, ToolCall)) == CALLED
    assert text_of(events) == "Well, STOP, no."
    assert done_of(events).thought_tokens == 3


def spelled(events: Iterable[Text | ToolCall | CallPiece]) -> str:
    """What the tokens that are told with events make together."""
    return b"".join(token.bytes for event in events for token in event.logprobs).decode()


@pytest.mark.parametrize("step", [1, 2, 7, 400])
@pytest.mark.parametrize("live", [False, True])
async def test_every_token_of_a_call_is_told_once_and_of_the_text_behind_it_too(
    step: int, live: bool
) -> None:
    other = CALLED.replace('"a"', '"Tromsø", "b"')
    model, _ = chat(f"Well,{CALLED}{other} then", step=step)
    events = await events_of(model, tools=TOOLS, n_logprobs=0, live_calls=live)
    calls = [e for e in events if isinstance(e, CallPiece | ToolCall)]
    assert spelled(calls) == CALLED + other
    first = next(e.id for e in events if isinstance(e, ToolCall))
    assert spelled(e for e in calls if e.id == first) == CALLED
    assert spelled(e for e in events if isinstance(e, Text)) == "Well,then"
    assert any(isinstance(e, CallPiece) and e.logprobs for e in calls) is live


async def test_no_log_probabilities_without_asking() -> None:
    model, engine = chat("Hello")
    events = await events_of(model)
    assert engine.submitted[0][1].n_logprobs is None
    assert all(e.logprobs == () for e in events if isinstance(e, Text))


@pytest.mark.parametrize("n_logprobs", [None, 1])
async def test_half_a_character_at_the_end_is_whole_text(n_logprobs: int | None) -> None:
    model, _ = chat("Owl 🦉".encode()[:-1], reason="length")
    events = await events_of(model, n_logprobs=n_logprobs)
    assert text_of(events) == "Owl \ufffd"
    assert done_of(events).reason == "length"
    tokens = [t for e in events if isinstance(e, Text) for t in e.logprobs]
    if n_logprobs:
        assert b"".join(t.bytes for t in tokens) == "Owl 🦉".encode()[:-1]


async def test_thinking_is_stopped_by_name_while_it_runs() -> None:
    model, engine = chat("Hm.</think>Well.", source=THINKER)
    prompt = model.prepare(ChatRequest(ASKED, name="one"))
    stream = model.stream(prompt)
    await stream.__anext__()
    assert prompt.params.name == "one"
    assert await model.stop_thinking("one") is False
    engine.thinking.add("one")
    assert await model.stop_thinking("one") is True
    await stream.aclose()
    for name in ("one", "two", ""):
        with pytest.raises(NotFound):
            await model.stop_thinking(name)


def test_what_the_engine_is_told_of_a_request() -> None:
    model, _ = chat()
    request = ChatRequest(
        ASKED, n=2, n_logprobs=5, speculate=False, fresh=True, priority=1, name="me"
    )
    params = model.prepare(request).params
    assert (params.n, params.n_logprobs, params.speculate, params.fresh) == (2, 5, False, True)
    assert (params.priority, params.name, params.pin) == (1, "me", 0)


@pytest.mark.parametrize(
    ("asked", "free"),
    [
        (ChatRequest(ASKED), False),
        (ChatRequest(ASKED, TOOLS), True),
        (ChatRequest(ASKED, TOOLS, "required"), True),
        (ChatRequest(ASKED, TOOLS, "none"), False),
        (ChatRequest(ASKED, TOOLS, grammar=Grammar("regex", "[0-9]+")), False),
    ],
)
def test_calls_end_where_the_model_would_go_on_with_something_else(
    asked: ChatRequest, free: bool
) -> None:
    assert chat()[0].prepare(asked).params.free_end is free
