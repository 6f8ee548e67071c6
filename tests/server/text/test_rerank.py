"""Documents by their likeness to a query, in the shapes of Jina and TEI."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from edge_agent.server.services import Services
from edge_agent.server.text.embedder import EmbeddingModel
from tests.server.conftest import Serving
from tests.server.fakes import FakeAgent, FakeChat
from tests.server.text.fakes import FakeReader

DOCUMENTS = ["a dog", "a cat", "cats", "birds"]


@pytest.fixture
def url(serving: Serving) -> Iterator[str]:
    model = EmbeddingModel("fake-embedder", FakeReader())
    yield serving(Services(FakeChat(), FakeAgent(), embeddings=model))
    model.close()


def ranked(url: str, path: str = "/v1/rerank", **body: Any) -> Any:
    answer = httpx.post(url + path, json={"query": "my cat", "documents": DOCUMENTS, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("path", ["/v1/rerank", "/rerank", "/v1/reranking", "/reranking"])
def test_the_likest_come_first_with_their_index(url: str, path: str) -> None:
    answer = ranked(url, path)
    assert [one["index"] for one in answer["results"]] == [1, 2, 0, 3]
    assert [one["relevance_score"] for one in answer["results"]] == [1, 1, 0, 0]
    assert answer["model"] == "fake-embedder" and answer["object"] == "list"
    assert answer["usage"] == {"prompt_tokens": 8, "total_tokens": 8}


@pytest.mark.parametrize(("top_n", "length"), [(1, 1), (4, 4), (99, 4)])
def test_top_n_is_the_most_that_are_told(url: str, top_n: int, length: int) -> None:
    assert len(ranked(url, top_n=top_n)["results"]) == length


def test_documents_are_shown_where_they_are_asked_for(url: str) -> None:
    documents: list[Any] = ["a dog", {"text": "a cat"}]
    results = ranked(url, documents=documents, return_documents=True)["results"]
    assert results[0] == {"index": 1, "relevance_score": 1.0, "document": {"text": "a cat"}}
    assert "document" not in ranked(url)["results"][0]


def test_texts_ask_for_the_shape_of_tei(url: str) -> None:
    answer = httpx.post(f"{url}/rerank", json={"query": "my cat", "texts": DOCUMENTS, "top_n": 2})
    assert answer.json() == [{"index": 1, "score": 1.0}, {"index": 2, "score": 1.0}]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"documents": []}, "documents: it must not be empty."),
        ({"documents": None}, "documents: this field is required."),
        ({"documents": 123}, "documents: "),
        ({"documents": [1]}, 'documents[0]: Input should be a string or {"text": ...}.'),
        ({"query": None}, "query: "),
        ({"top_n": 0}, "top_n: "),
    ],
)
def test_what_cannot_be_ranked_is_named(url: str, body: Any, message: str) -> None:
    answer = httpx.post(f"{url}/rerank", json={"query": "a", "documents": DOCUMENTS, **body})
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]
