"""Vectors are made of titles and leads, a batch at a time, and compared as a whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_agent.store.library.index import LibraryIndex
from edge_agent.store.library.records import Document
from edge_agent.store.library.vectors import VectorTable
from edge_agent.tools.embed import Embedder
from edge_agent.tools.library.meaning import MAX_PARTS, PART_CHARS, Meanings, parts_of

from .fakes import Topics


@pytest.fixture
def index(tmp_path: Path) -> LibraryIndex:
    index = LibraryIndex(tmp_path / "i.db")
    texts = {"Lamp": "It was lit.", "Net": "Herring.", "Long": "word " * 250 + "herring " * 200}
    index.update(Document(t, t, t, text, "text/plain") for t, text in texts.items())
    return index


def test_a_document_is_embedded_by_its_title_and_its_first_parts() -> None:
    assert parts_of("T", "") == ["T"]
    assert parts_of("T", "short") == ["T. short"]
    parts = parts_of("T", "word " * 5000)
    assert len(parts) == MAX_PARTS and all(len(part) <= PART_CHARS + 3 for part in parts)
    assert all(part.startswith("T. word") and part.endswith("word") for part in parts)
    assert len(parts_of("T", "x" * 2500)) == 3  # also where there is nothing to cut at


def test_they_are_filled_in_a_few_at_a_time(index: LibraryIndex) -> None:
    topics = Topics("herring")
    meanings = Meanings(VectorTable(index.database), topics, "topics")
    assert meanings.nearest(meanings.vector("herring"), 5) == []
    assert meanings.fill(2) == 2 and meanings.fill(2) == 1 and meanings.fill(2) == 0
    assert len([text for text in topics.read if text.startswith("Long. ")]) == 3


def test_a_document_is_as_near_as_its_nearest_part(index: LibraryIndex) -> None:
    meanings = Meanings(VectorTable(index.database), Topics("herring", "lit"), "topics")
    meanings.fill()
    assert meanings.nearest(meanings.vector("herring"), 5) == [2, 3, 1]
    again = Meanings(VectorTable(index.database), Topics("herring", "lit"), "topics")
    assert again.nearest(again.vector("lit"), 1) == [1]


def test_the_first_few_are_those_of_the_whole_order_and_of_equals_the_older(
    index: LibraryIndex,
) -> None:
    index.update(Document(f"d{n}", "h", f"d{n}", "Net." * (n % 3), "text/plain") for n in range(40))
    meanings = Meanings(VectorTable(index.database), Topics("net"), "topics")
    meanings.fill()
    vector = meanings.vector("net")
    every = meanings.nearest(vector, 99)
    assert every is not None and len(every) == 43 and every[:3] == sorted(every[:3])
    assert all(meanings.nearest(vector, n) == every[:n] for n in range(1, 43))


def test_of_too_many_vectors_those_are_compared_that_are_asked_for(index: LibraryIndex) -> None:
    topics = Topics("herring", "lit")
    meanings = Meanings(VectorTable(index.database), topics, "topics", held=4)
    meanings.fill()
    vector = meanings.vector("herring")
    assert meanings.nearest(vector, 5) is None
    assert meanings.by_likeness(vector, [1, 2]) == [2, 1]
    assert meanings.by_likeness(vector, []) == [] == meanings.by_likeness(vector, [77])


def test_what_was_added_later_is_compared_too(index: LibraryIndex) -> None:
    meanings = Meanings(VectorTable(index.database), Topics("herring", "oar"), "topics")
    meanings.fill()
    assert len(meanings.nearest(meanings.vector("oar"), 9) or []) == 3
    index.update([Document("Boat", "h", "Boat", "An oar.", "text/plain")], ["Net"])
    meanings.fill()
    assert meanings.nearest(meanings.vector("oar"), 1) == [4]
    assert 2 not in (meanings.nearest(meanings.vector("herring"), 9) or [])


def test_the_real_embedder_finds_what_other_words_say(
    index: LibraryIndex, embedder_dir: Path
) -> None:
    meanings = Meanings(VectorTable(index.database), Embedder(embedder_dir), "all-minilm-l6-v2")
    assert meanings.fill() == 3
    vector = meanings.vector("a fish one can eat")
    assert vector.shape == (384,) and np.linalg.norm(vector) == pytest.approx(1, abs=1e-3)
    assert meanings.nearest(vector, 1) == [2]
