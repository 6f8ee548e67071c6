"""Embeddings over HTTP, asked by OpenAI's own client."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.server.services import Services
from edge_agent.server.text.embedder import BITE, EmbeddingModel, bites
from edge_agent.server.text.schemas import LONGEST, MOST_CHARACTERS, MOST_TEXTS
from tests.patience import HANG_S
from tests.server.conftest import Serving, leave
from tests.server.fakes import FakeAgent, FakeChat
from tests.server.text.fakes import FakeReader


@pytest.fixture
def reader() -> FakeReader:
    return FakeReader()


@pytest.fixture
def url(serving: Serving, reader: FakeReader) -> Iterator[str]:
    model = EmbeddingModel("fake-embedder", reader)
    yield serving(Services(FakeChat(), FakeAgent(), embeddings=model))
    reader.hold.set()
    model.close()


def post(url: str, **body: Any) -> httpx.Response:
    return httpx.post(f"{url}/v1/embeddings", json=body, timeout=HANG_S)


@pytest.mark.parametrize("form", ["float", "base64", None])
def test_the_official_client_gets_a_vector_for_each_text(url: str, form: Any) -> None:
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0)
    named = {"encoding_format": form} if form in ("float", None) and form else {}
    answer = client.embeddings.create(
        model="text-embedding-3-small", input=["a cat", "a dog and", "cats"], **named
    )
    assert [one.embedding for one in answer.data] == [[1, 0], [0, 1], [1, 0]]
    assert [one.index for one in answer.data] == [0, 1, 2]
    assert answer.model == "fake-embedder"
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == 6


def test_base64_holds_the_floats(url: str) -> None:
    (one,) = post(url, input="a cat", encoding_format="base64").json()["data"]
    assert struct.unpack("<2f", base64.b64decode(one["embedding"])) == (1.0, 0.0)


def test_texts_are_read_a_few_at_a_time_by_one_thread(url: str, reader: FakeReader) -> None:
    answer = post(url, input=["cat" * BITE] * 3 + ["dog"] * 5)
    assert len(answer.json()["data"]) == 8
    assert [len(batch) for batch in reader.batches] == [1, 1, 1, 5]
    assert len(reader.threads) == 1


@given(st.lists(st.integers(0, 2 * BITE).map(lambda n: "x" * n)))
def test_bites_are_all_the_texts_in_order(texts: list[str]) -> None:
    taken = list(bites(texts))
    assert [text for bite in taken for text in bite] == texts
    assert all(sum(map(len, bite[:-1])) < BITE for bite in taken)


def test_a_client_that_leaves_ends_the_reading(url: str, reader: FakeReader) -> None:
    reader.hold.clear()
    body = {"input": ["cat" * BITE] * 20}
    leave(url, "/v1/embeddings", body, once=reader.reading.is_set)
    reader.hold.set()
    before = len(reader.batches)
    assert post(url, input="cat").status_code == 200
    assert len(reader.batches) <= before + 2


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"input": [1, 2, 3]}, 501, "input: token ids are not supported"),
        ({"input": [[1, 2], [3]]}, 501, "input: token ids are not supported"),
        ({"input": "a", "dimensions": 2}, 501, "dimensions is not supported"),
        ({"input": []}, 400, "input: it must not be empty."),
        ({"input": ["a"] * (MOST_TEXTS + 1)}, 400, "there are 2049 texts"),
        ({"input": "a" * (LONGEST + 1)}, 400, "too large: send it in pieces"),
        ({"input": ["a" * LONGEST] * 21}, 400, f"may have {MOST_CHARACTERS:,}"),
        ({"input": {"text": "a"}}, 400, "Input should be a string or a list of strings"),
        ({"input": [{"text": "a"}]}, 400, "input[0]: Input should be a text"),
        ({}, 400, "input: this field is required."),
        ({"input": "a", "encoding_format": "int8"}, 400, "encoding_format: "),
    ],
)
def test_what_cannot_be_embedded_is_named(url: str, body: Any, status: int, message: str) -> None:
    answer = post(url, **body)
    assert answer.status_code == status
    assert message in answer.json()["error"]["message"]


def test_an_empty_text_is_a_text(url: str) -> None:
    assert len(post(url, input="").json()["data"]) == 1


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/rerank"])
def test_without_a_model_it_is_said_how_to_get_one(serving: Serving, path: str) -> None:
    url = serving(Services(FakeChat(), FakeAgent()))
    answer = httpx.post(url + path, json={"input": "a", "query": "a", "documents": ["b"]})
    assert answer.status_code == 501
    assert "edge-agent pull all-minilm-l6-v2" in answer.json()["error"]["message"]


def test_requests_wait_for_each_other(url: str, reader: FakeReader) -> None:
    reader.hold.clear()
    leave(url, "/v1/embeddings", {"input": "cat"}, once=reader.reading.is_set)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{url}/v1/embeddings", json={"input": "dog"}, timeout=0.2)
    assert reader.batches == [["cat"]]
    reader.hold.set()
    assert post(url, input="bird").status_code == 200
    assert reader.batches[-1] == ["bird"] and len(reader.batches) <= 3
