"""The real encoder behind the real routes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import openai
import pytest

from edge_agent.server.services import Services
from edge_agent.server.text.embedder import LOW, EmbeddingModel
from edge_agent.tools.embed import Embedder
from tests.server.conftest import running
from tests.server.fakes import FakeAgent, FakeChat

DOCUMENTS = [
    "A machine is a physical system that uses power to apply forces and control movement.",
    "Learning is acquiring new understanding, knowledge, behaviours, skills and values.",
    "Machine learning is the study of statistical algorithms that learn from data.",
    "Paris, capitale de la France, est une grande ville européenne.",
]


@pytest.fixture(scope="module")
def url(embedder_dir: Path) -> Iterator[str]:
    model = EmbeddingModel("all-minilm-l6-v2", Embedder(embedder_dir))
    with running(Services(FakeChat(), FakeAgent(), embeddings=model)) as where:
        yield where
    model.close()


def test_vectors_tell_meanings_apart(url: str) -> None:
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0)
    texts = ["The ferry leaves at dawn.", "At sunrise the boat sails.", "The tax on property"]
    answer = client.embeddings.create(model="any", input=texts)
    ferry, boat, tax = (np.array(one.embedding) for one in answer.data)
    assert ferry.shape == (384,) and abs(ferry @ ferry - 1) < 1e-3
    assert ferry @ boat > 0.4 > ferry @ tax
    words = client.embeddings.create(model="any", input="I believe the meaning of life is")
    assert words.usage.prompt_tokens == 9  # seven words, and one token on either side


def test_documents_are_ranked_by_meaning(url: str) -> None:
    body = {"query": "Machine learning is", "documents": DOCUMENTS}
    results = httpx.post(f"{url}/rerank", json=body, timeout=30).json()["results"]
    assert [results[0]["index"], results[-1]["index"]] == [2, 3]


def test_half_a_character_is_read_as_a_question_mark(url: str) -> None:
    body = b'{"input": ["\\ud800", "?", ""]}'
    json = {"Content-Type": "application/json"}
    answer = httpx.post(f"{url}/v1/embeddings", content=body, headers=json, timeout=30)
    assert answer.status_code == 200
    half, mark, nothing = (one["embedding"] for one in answer.json()["data"])
    assert half == mark != nothing


def test_all_of_a_long_text_counts(embedder_dir: Path) -> None:
    embedder = Embedder(embedder_dir)
    beginning = "The ferry leaves the harbour at dawn. " * 40
    end = "The council raised the tax on property. " * 40
    query = embedder.encode(["property tax"])[0]
    read = embedder.read([beginning, beginning + end, "tax"])
    assert read.vectors[1] @ query > read.vectors[0] @ query + 0.1
    assert embedder.encode([beginning + end])[0] @ query < read.vectors[1] @ query
    assert read.n_tokens > 2 * 256
    assert np.allclose(np.linalg.norm(read.vectors, axis=1), 1, atol=1e-4)
    assert np.allclose(embedder.read(["tax"]).vectors, embedder.encode(["tax"]), atol=1e-6)
    assert embedder.read([]).vectors.shape == (0, 384)


def test_a_text_is_read_the_same_whatever_stands_beside_it(embedder_dir: Path) -> None:
    embedder = Embedder(embedder_dir)
    together = embedder.read(["The ferry", "leaves " * 300, "at dawn"]).vectors
    assert np.array_equal(together[0], embedder.read(["The ferry"]).vectors[0])
    assert np.array_equal(together[1], embedder.read(["leaves " * 300]).vectors[0])


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads have priorities on Linux")
async def test_reading_gives_way_to_the_model_that_writes(embedder_dir: Path) -> None:
    model, others = EmbeddingModel("x", Embedder(embedder_dir)), set(threading.enumerate())
    try:
        await model.embed(["one"])
        (thread,) = set(threading.enumerate()) - others
        stat = Path(f"/proc/self/task/{thread.native_id}/stat").read_text()
        own = Path("/proc/thread-self/stat").read_text()
        nice, mine = (int(text.rpartition(")")[2].split()[16]) for text in (stat, own))
        assert nice == min(mine + LOW, 19)
    finally:
        model.close()
    assert not thread.is_alive()
