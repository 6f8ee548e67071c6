"""The official client, a real server and a real chat model over an engine that plays a script."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import httpx
import openai
import pytest

from edge_agent.chat.messages import Done, Text
from edge_agent.chat.model import ChatModel
from edge_agent.chat.template import ChatTemplate
from edge_agent.engine.params import (
    Finished,
    FinishReason,
    GenerateParams,
    SamplingParams,
    Tokens,
    Usage,
)
from edge_agent.errors import EngineBusy, RequestError
from edge_agent.server.services import Services
from tests.chat.fakes import CHATML, THINKER, FakeEngine, FakeVocab
from tests.patience import HANG_S
from tests.server.conftest import Serving
from tests.server.fakes import FakeAgent, FakeChat, Forever

VOCAB = FakeVocab(thinks=True)
USER: list[Any] = [{"role": "user", "content": "Hi"}]
TOOL: Any = {
    "type": "function",
    "function": {"name": "f", "parameters": {"properties": {"a": {"type": "string"}}}},
}
CALLED = '<tool_call>\n{"name": "f", "arguments": {"a": "b"}}\n</tool_call>'


class Refusing(FakeEngine):
    """Refuses everything with one error, the way the engine's process does."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    async def submit(
        self, prompt: Sequence[int], params: GenerateParams
    ) -> AsyncGenerator[Tokens | Finished, None]:
        if self._error:
            raise self._error
        yield Finished("stop", Usage())


def services_of(engine: FakeEngine, source: str = CHATML, n_ctx: int = 4096) -> Services:
    sampling = SamplingParams()
    chat = ChatModel("fake", VOCAB, engine, ChatTemplate(source), n_ctx, sampling)
    return Services(chat, FakeAgent())


def saying(*said: str, reason: FinishReason = "stop", step: int = 2, cached: int = 0) -> FakeEngine:
    return FakeEngine(*map(VOCAB.encode, said), reason=reason, step=step, cached=cached)


def client_of(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0, timeout=HANG_S)


def post(url: str, **body: Any) -> httpx.Response:
    return httpx.post(f"{url}/v1/chat/completions", json={"messages": USER, **body}, timeout=HANG_S)


def test_each_choice_has_its_text_and_its_reason(serving: Serving) -> None:
    engine = saying("One.", "Two STOP and more", CALLED, cached=3)
    answer = client_of(serving(services_of(engine))).chat.completions.create(
        model="auto", messages=USER, n=3, stop=["STOP"], tools=[TOOL]
    )
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert [choice.message.content for choice in answer.choices] == ["One.", "Two ", None]
    assert [c.finish_reason for c in answer.choices] == ["stop", "stop", "tool_calls"]
    prompt, params = engine.submitted[0]
    assert params.n == 3
    used = answer.usage
    assert used and used.prompt_tokens == len(prompt)
    assert used.prompt_tokens_details and used.prompt_tokens_details.cached_tokens == 3
    assert used.completion_tokens == len(
        [*VOCAB.encode("One."), *VOCAB.encode("Two STOP"), *VOCAB.encode(CALLED)]
    )
    assert used.total_tokens == used.prompt_tokens + used.completion_tokens


def test_streamed_choices_say_which_they_are(serving: Serving) -> None:
    said = ("One.", "Two, longer.", CALLED)
    stream = client_of(serving(services_of(saying(*said)))).chat.completions.create(
        model="auto", messages=USER, n=3, tools=[TOOL], stream=True,
        stream_options={"include_usage": True},
    )  # fmt: skip
    chunks = list(stream)
    text = ["", "", ""]
    roles, reasons, calls = [], {}, []
    for choice in (chunk.choices[0] for chunk in chunks if chunk.choices):
        text[choice.index] += choice.delta.content or ""
        roles += [choice.index] if choice.delta.role else []
        calls += [(choice.index, call.index) for call in choice.delta.tool_calls or [] if call.id]
        if choice.finish_reason:
            reasons[choice.index] = choice.finish_reason
    assert text == ["One.", "Two, longer.", ""]
    assert sorted(roles) == [0, 1, 2]
    assert reasons == {0: "stop", 1: "stop", 2: "tool_calls"}
    assert calls == [(2, 0)]
    assert [bool(chunk.usage) for chunk in chunks].count(True) == 1
    assert chunks[-1].usage and chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == sum(len(VOCAB.encode(s)) for s in said)


def test_log_probabilities_have_openais_shape(serving: Serving) -> None:
    url = serving(services_of(saying("é!", step=1)))
    answer = client_of(url).chat.completions.create(
        model="auto", messages=USER, logprobs=True, top_logprobs=2
    )
    told = answer.choices[0].logprobs
    assert told and told.content and told.refusal is None
    assert [t.bytes for t in told.content] == [[0xC3], [0xA9], [0x21]]
    assert [t.token for t in told.content] == ["\ufffd", "\ufffd", "!"]
    assert [t.logprob for t in told.content] == [-195.0, -169.0, -33.0]
    assert [[t.bytes for t in each.top_logprobs] for each in told.content][2] == [[33], [34]]


def test_streamed_log_probabilities_are_in_step_with_the_text(serving: Serving) -> None:
    url = serving(services_of(saying("Hé, S STOP x", step=1)))
    stream = client_of(url).chat.completions.create(
        model="auto", messages=USER, logprobs=True, stop="STOP", stream=True
    )
    text = b""
    for choice in (chunk.choices[0] for chunk in stream):
        told = (choice.logprobs and choice.logprobs.content) or []
        assert (
            bytes(b for t in told for b in t.bytes or []) == (choice.delta.content or "").encode()
        )
        assert all(t.top_logprobs == [] for t in told)
        text += (choice.delta.content or "").encode()
    assert text == "Hé, S ".encode()


@pytest.mark.parametrize("step", [1, 50])
@pytest.mark.parametrize("stream", [False, True])
def test_a_reply_that_is_only_a_call_has_the_log_probabilities_of_its_tokens(
    serving: Serving, stream: bool, step: int
) -> None:
    url = serving(services_of(saying(CALLED, step=step)))
    asked: Any = {"model": "auto", "messages": USER, "tools": [TOOL], "logprobs": True}
    create = client_of(url).chat.completions.create
    choices = [chunk.choices[0] for chunk in create(**asked, stream=True)] if stream else []
    choices = choices or [create(**asked).choices[0]]
    told = [t for c in choices for t in (c.logprobs and c.logprobs.content) or []]
    assert bytes(b for t in told for b in t.bytes or []).decode() == CALLED
    assert choices[-1].finish_reason == "tool_calls"


def test_without_asking_there_are_no_log_probabilities(serving: Serving) -> None:
    assert "logprobs" not in post(serving(services_of(saying("Hi")))).json()["choices"][0]


@pytest.mark.parametrize("step", [1, 2, 50])
@pytest.mark.parametrize("stream", [False, True])
def test_a_stop_string_split_over_tokens_is_never_seen(
    serving: Serving, step: int, stream: bool
) -> None:
    engine = saying("One. ST STOP two", step=step, cached=7)
    answer = post(
        serving(services_of(engine)), stop=["STOP"], stream=stream,
        stream_options={"include_usage": True},
    )  # fmt: skip
    if not stream:
        body = answer.json()
        assert body["choices"][0]["message"]["content"] == "One. ST "
    else:
        lines = [line[6:] for line in answer.text.split("\n\n") if line.startswith("data: {")]
        deltas = [c["choices"][0]["delta"] for c in map(json.loads, lines) if c["choices"]]
        assert "".join(d.get("content") or "" for d in deltas) == "One. ST "
        body = json.loads(lines[-1])
    assert body["usage"]["prompt_tokens_details"]["cached_tokens"] == 7
    assert body["timings"]["cache_n"] == 7
    assert engine.closed == 1


@pytest.mark.parametrize("stream", [False, True])
def test_half_a_character_at_the_end_is_still_utf8(serving: Serving, stream: bool) -> None:
    engine = FakeEngine("Owl 🦉".encode()[:-2], reason="length", step=1)
    answer = post(serving(services_of(engine)), stream=stream)
    text = answer.content.decode("utf-8", "strict")
    assert "\ufffd" in text and '"length"' in text


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "status", "param"),
    [
        (RequestError("n is 9, but 4 sequences run at once.", "n"), 400, "n"),
        (EngineBusy("full", 2.5), 429, None),
    ],
)
def test_what_the_engine_refuses_is_a_status(
    serving: Serving, stream: bool, error: Exception, status: int, param: str | None
) -> None:
    answer = post(serving(services_of(Refusing(error))), n=9, stream=stream)
    assert (answer.status_code, answer.json()["error"].get("param")) == (status, param)
    assert answer.headers.get("retry-after") == ("3" if status == 429 else None)


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_that_is_too_long_is_refused_with_both_numbers(
    serving: Serving, stream: bool
) -> None:
    answer = post(serving(services_of(saying("Hi"), n_ctx=16)), stream=stream)
    error = answer.json()["error"]
    assert (answer.status_code, error["n_ctx"]) == (400, 16)
    assert error["n_prompt_tokens"] > 16


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "fields",
    [
        {"grammar": 'root ::= "a'},
        {"grammar": "%llguidance {}\nstart: nowhere"},
        {"response_format": {"type": "regex", "pattern": "(a"}},
    ],
)
def test_a_grammar_that_does_not_parse_is_refused_before_the_first_byte(
    serving: Serving, stream: bool, fields: dict[str, Any]
) -> None:
    engine = saying("Hi")
    answer = post(serving(services_of(engine)), stream=stream, **fields)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.json()["error"]["param"] in ("grammar", "response_format")
    assert not engine.submitted


def test_thought_tokens_are_counted_and_the_budget_reaches_the_engine(serving: Serving) -> None:
    engine = saying("Hm, hm.</think>Well.")
    answer = client_of(serving(services_of(engine, THINKER))).chat.completions.create(
        model="auto", messages=USER, reasoning_effort="low"
    )
    thought = engine.submitted[0][1].thought
    assert thought and (thought.budget, thought.begun) == (1024, True)
    details: Any = answer.usage and answer.usage.completion_tokens_details
    assert details.reasoning_tokens == len("Hm, hm.")
    assert answer.choices[0].message.content == "Well."


class Drafting(FakeChat):
    """Ends with the account of a generation that was drafted ahead, in two choices."""

    def __init__(self) -> None:
        used = Usage(20, 5, 10, 0, 8, 6, 0.5, 0.25)
        dones = (Done("stop", used), Done("stop", Usage(20, 20, 4), choice=1))
        super().__init__((Text("a"), Text("b", 1), *dones))


def test_drafts_are_told_in_both_languages(serving: Serving) -> None:
    body = post(serving(Services(Drafting(), FakeAgent())), n=2).json()
    assert body["usage"]["prompt_tokens"] == 20
    assert body["usage"]["completion_tokens"] == 14
    assert body["usage"]["prompt_tokens_details"]["cached_tokens"] == 5
    details = body["usage"]["completion_tokens_details"]
    assert details["accepted_prediction_tokens"] == 6
    assert details["rejected_prediction_tokens"] == 2
    timings = body["timings"]
    assert (timings["cache_n"], timings["prompt_n"], timings["predicted_n"]) == (5, 15, 14)
    assert (timings["draft_n"], timings["draft_n_accepted"]) == (8, 6)


def test_a_running_completion_is_told_to_stop_thinking_by_its_id(serving: Serving) -> None:
    chat = FakeChat([Forever(Text("hm "))])
    url = serving(Services(chat, FakeAgent()))
    with client_of(url).chat.completions.create(model="auto", messages=USER, stream=True) as stream:
        id = next(iter(stream)).id
        answer = httpx.post(f"{url}/v1/chat/completions/{id}/stop_thinking")
        assert (answer.status_code, answer.json()) == (200, {"id": id, "stopped": True})
    assert chat.stopped == [id] and chat.requests[0].name == id


def test_an_id_that_nothing_runs_under_is_not_found(serving: Serving) -> None:
    url = serving(services_of(saying("Hi")))
    answer = httpx.post(f"{url}/v1/chat/completions/chatcmpl-0/stop_thinking")
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (404, "not_found_error")
    assert "chatcmpl-0" in error["message"]
