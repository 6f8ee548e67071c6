"""OpenAI's completions of plain text, over a real socket."""

from __future__ import annotations

import openai
import pytest

from edge_agent.server.services import Services
from tests.patience import HANG_S
from tests.server.conftest import Serving
from tests.server.fakes import FakeAgent, FakeChat
from tests.server.plain.texts import VOCAB, events, post, writing


def client_of(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0, timeout=HANG_S)


def test_the_official_client_reads_a_completion(serving: Serving) -> None:
    client = client_of(serving(writing(" upon a time\n", reason="length")))
    answer = client.completions.create(model="any", prompt="Once", max_tokens=5)
    choice = answer.choices[0]
    assert answer.id.startswith("cmpl-") and answer.object == "text_completion"
    assert (choice.text, choice.finish_reason) == (" upon a time\n", "length")
    assert answer.usage and answer.usage.prompt_tokens == 4


def test_a_stream_says_the_same(serving: Serving) -> None:
    client = client_of(serving(writing(" upon a time")))
    stream = client.completions.create(
        model="any", prompt="Once", stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)
    assert text == " upon a time"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert (
        chunks[-1].choices == [] and chunks[-1].usage and chunks[-1].usage.completion_tokens == 12
    )


@pytest.mark.parametrize("path", ["/v1/completions", "/completion"])
def test_a_prompt_that_does_not_fit_is_named_as_it_is_called_here(
    serving: Serving, path: str
) -> None:
    answer = post(serving(writing("x")), path, prompt="a" * 5000)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["n_prompt_tokens"]) == (400, "prompt", 5000)
    assert "shorten the prompt" in error["message"]


@pytest.mark.parametrize(
    ("prompt", "ids"),
    [
        ("ab", [(97, 98)]),
        ([97, 98], [(97, 98)]),
        ([97, "b"], [(97, 98)]),
        (["a", "b"], [(97,), (98,)]),
        ([[97], "b", [98, "c"]], [(97,), (98,), (98, 99)]),
        ({"prompt_string": "a"}, [(97,)]),
    ],
)
def test_every_shape_of_prompt_is_read(
    serving: Serving, prompt: object, ids: list[tuple[int, ...]]
) -> None:
    answer = post(serving(writing("x", "y", "z")), "/v1/completions", prompt=prompt).json()
    assert [choice["text"] for choice in answer["choices"]] == ["x", "y", "z"][: len(ids)]
    assert answer["usage"]["prompt_tokens"] == sum(map(len, ids))


def test_prompts_and_their_choices_are_numbered_in_order(serving: Serving) -> None:
    url = serving(writing("a1", "a2", "b1", "b2"))
    whole = post(url, "/v1/completions", prompt=["a", "b"], n=2).json()
    assert [choice["index"] for choice in whole["choices"]] == [0, 1, 2, 3]
    assert [choice["text"] for choice in whole["choices"]] == ["a1", "a2", "b1", "b2"]
    assert whole["usage"]["completion_tokens"] == 8


def test_echo_brings_the_prompt_first(serving: Serving) -> None:
    url = serving(writing(" b", " b"))
    assert post(url, "/v1/completions", prompt="a", echo=True).json()["choices"][0]["text"] == "a b"
    *chunks, done = events(post(url, "/v1/completions", prompt="a", echo=True, stream=True))
    assert chunks[0]["choices"][0]["text"] == "a" and done == "[DONE]"
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == "a b"


def test_log_probabilities_have_the_shape_of_text_completions(serving: Serving) -> None:
    client = client_of(serving(writing("ab")))
    told = client.completions.create(model="any", prompt="x", logprobs=2).choices[0].logprobs
    assert told and told.tokens == ["a", "b"] and told.text_offset == [0, 1]
    assert told.token_logprobs == [-97.0, -98.0]
    assert told.top_logprobs and told.top_logprobs[0] == {"a": -97.0, "b": -98.0}


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({}, 400, "prompt"),
        ({"prompt": []}, 400, "prompt"),
        ({"prompt": ""}, 400, "prompt"),
        ({"prompt": ["a"] * 129}, 400, "prompt"),
        ({"prompt": "a", "max_tokens": 0}, 400, "max_tokens"),
        ({"prompt": "a", "best_of": 3}, 501, "best_of"),
        ({"prompt": "a", "mirostat": 2}, 501, "mirostat"),
        ({"prompt": "a", "echo": True, "logprobs": 1}, 501, "echo"),
        ({"prompt": {"prompt_string": "a", "multimodal_data": ["x"]}}, 501, None),
        ({"prompt": "a", "logit_bias": {"5": "much"}}, 400, "logit_bias.5"),
        ({"prompt": "a", "logit_bias": [[5, 1, 1]]}, 400, "logit_bias"),
        ({"prompt": "a", "grammar": "root ::= (", "stream": True}, 400, "grammar"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    serving: Serving, fields: dict[str, object], status: int, param: str | None
) -> None:
    answer = post(serving(writing("x")), "/v1/completions", **fields)
    assert answer.status_code == status
    assert param is None or answer.json()["error"]["param"] == param


def test_a_suffix_needs_a_model_that_fills_in(serving: Serving) -> None:
    answer = post(serving(writing("x")), "/v1/completions", prompt="a", suffix="b")
    assert answer.status_code == 501 and "Infill" in answer.json()["error"]["message"]


def test_a_model_elsewhere_has_no_plain_text(serving: Serving) -> None:
    url = serving(Services(FakeChat(), FakeAgent()))
    for path in ("/v1/completions", "/completion"):
        assert post(url, path, prompt="a").status_code == 501


def test_a_prompt_that_does_not_fit_is_refused_before_the_stream(serving: Serving) -> None:
    answer = post(serving(writing("x")), "/v1/completions", prompt="a" * 5000, stream=True)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (400, "exceed_context_size_error")
    assert (error["n_prompt_tokens"], error["n_ctx"]) == (5000, 4096)


def test_a_text_may_name_the_tokens_of_a_bias(serving: Serving) -> None:
    services = writing("x")
    url = serving(services)
    bias = [["ab", -5], [99, False]]
    shown = post(url, "/completion", prompt="a", logit_bias=bias).json()["generation_settings"]
    assert [(b["token"], b["bias"]) for b in shown["logit_bias"]] == [
        *((token, -5.0) for token in VOCAB.encode("ab")),
        (99, None),
    ]
