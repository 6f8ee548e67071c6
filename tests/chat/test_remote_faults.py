"""A chat over a server that is not ours: what goes wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edge_agent.chat.messages import (
    ChatRequest,
    Message,
)
from edge_agent.chat.remote.faults import error_of, fault_of
from edge_agent.chat.remote.link import Link
from edge_agent.chat.remote.probe import probe
from edge_agent.errors import (
    ContextOverflow,
    EdgeAgentError,
    EngineBusy,
    EngineCrashed,
    EngineError,
    NotFound,
    NotSupported,
    RequestError,
)

from .backend import Backend, Says, chunk, refusal, running, text
from .talk import ASKED, CALM, QUICK, talk

BEGUN = chunk({"content": "One"})
LOST = ConnectionError("cut")


@pytest.mark.parametrize(
    ("says", "error", "sentence"),
    [
        (refusal("bad key", 401), EngineError, "--backend-key-env"),
        (refusal("no", 403), EngineError, "refuses the API key"),
        (refusal("The model `m` does not exist.", 404), NotFound, "--backend-model"),
        (refusal("messages: too rude"), RequestError, "refuses the request: messages: too rude"),
        (refusal("not here", 501), NotSupported, "not here"),
        (refusal("boom", 500), EngineError, "failed with status 500. It said: boom"),
        (Says([b"<h1>Bad gateway</h1>"], 502, "text/html"), EngineError, "Bad gateway"),
        (Says([b""], 307, headers={"location": "/x"}), EngineError, "elsewhere, at /x"),
        (Says([b"<h1>Hello</h1>"], kind="text/html"), EngineError, "base URL"),
        (Says([b"data: {nonsense\n\n"]), EngineError, "not JSON: {nonsense"),
        (Says([b"data: 7\n\n"]), EngineError, "not JSON: 7"),
        (Says([BEGUN, b'data: {"error": {"message": "out of memory"}}\n\n']), EngineError,
         "out of memory"),
        (Says([BEGUN, b'data: {"object": "error", "message": "gone", "code": 503}\n\n']),
         EngineCrashed, "gone"),
        (Says([BEGUN, LOST]), EngineCrashed, "lost in the middle"),
        (Says([BEGUN]), EngineCrashed, "lost in the middle"),
        (Says([30.0]), EngineCrashed, "nothing for 0.4 seconds|nothing back in time"),
        (Says([BEGUN, 30.0]), EngineCrashed, "nothing for 0.4 seconds|nothing back in time"),
    ],
)  # fmt: skip
async def test_every_failure_is_one_of_ours_in_one_sentence(
    says: Says, error: type[EdgeAgentError], sentence: str
) -> None:
    is_silent = any(isinstance(piece, float) for piece in says.pieces)
    async with talk(says, patience=QUICK if is_silent else CALM) as here:
        with pytest.raises(error, match=sentence) as caught:
            await here.whole(ChatRequest(ASKED))
        assert type(caught.value) is error
        assert "secret" not in str(caught.value)
        assert len(here.backend.bodies) == 1


async def test_nobody_there_is_one_sentence() -> None:
    with running(Backend([text("a")])) as backend:
        url = backend.url
    link = Link(url)
    with pytest.raises(EngineCrashed, match=r"cannot be reached.*start it, or correct --backend"):
        await probe(link)
    await link.aclose()


async def test_a_busy_server_is_asked_again_and_not_for_ever() -> None:
    busy = Says([b"{}"], 429, "application/json", {"retry-after": "7"})
    async with talk(busy, refusal("later", 503), text("Ada.")) as here:
        assert (await here.whole(ChatRequest(ASKED))).text == "Ada."
        assert here.slept == [7.0, 1.0]
    async with talk(busy) as here:
        with pytest.raises(EngineBusy) as caught:
            await here.whole(ChatRequest(ASKED))
        assert caught.value.retry_after_s == 7.0
        assert sum(here.slept) <= CALM.busy_s
    async with talk(refusal("Pay first.", 429, code="insufficient_quota")) as here:
        with pytest.raises(EngineBusy, match="Pay first"):
            await here.whole(ChatRequest(ASKED))
        assert here.slept == []


@pytest.mark.parametrize(
    ("message", "more"),
    [
        ("This model's maximum context length is 4096 tokens. However, you requested 5200 tokens "
         "(5000 in the messages, 200 in the completion). Please reduce the length.", {}),
        ("This model's maximum context length is 4096 tokens. However, your messages resulted in "
         "5000 tokens.", {"code": "context_length_exceeded"}),
        ("'max_tokens' or 'max_completion_tokens' is too large: 200. This model's maximum context "
         "length is 4096 tokens and your request has 5000 input tokens (200 > 4096 - 5000).", {}),
        ("The input (5000 tokens) is longer than the model's context length (4096 tokens).", {}),
        ("The prompt has 5000 tokens but the context window holds 4096: shorten it.", {}),
        ("request (5000 tokens) exceeds the available context size (4096 tokens), try more", {}),
        ("too long", {"n_prompt_tokens": 5000, "n_ctx": 4096}),
    ],
)  # fmt: skip
def test_an_overflow_is_understood_from_everybody(message: str, more: dict[str, Any]) -> None:
    body = json.dumps({"error": {"message": message, **more}})
    error = error_of(fault_of(400, body), "http://h/v1", "m")
    assert isinstance(error, ContextOverflow), error
    assert (error.n_prompt_tokens, error.n_ctx) == (5000, 4096)


async def test_a_limit_that_does_not_fit_behind_the_prompt_is_lowered() -> None:
    tight = refusal(
        "This model's maximum context length is 1000 tokens. However, you requested 1100 tokens "
        "(900 in the messages, 200 in the completion)."
    )
    async with talk(tight, text("Ada.")) as here:
        assert (await here.whole(ChatRequest(ASKED, max_tokens=200))).text == "Ada."
        assert [body["max_tokens"] for body in here.backend.bodies] == [200, 100]
        assert here.said == []


async def test_a_prompt_that_is_too_long_is_the_servers_to_refuse() -> None:
    full = refusal("no", n_prompt_tokens=1200, n_ctx=1000)
    async with talk(full) as here:
        with pytest.raises(ContextOverflow):
            await here.whole(ChatRequest((Message("user", "word " * 900),), max_tokens=5))
        assert len(here.backend.bodies) == 1
