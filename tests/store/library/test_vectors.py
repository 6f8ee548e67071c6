"""Vectors stand beside the documents, and go with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.store.library.index import LibraryIndex
from edge_agent.store.library.records import Document, Parts
from edge_agent.store.library.vectors import VectorTable


@pytest.fixture
def index(tmp_path: Path) -> LibraryIndex:
    index = LibraryIndex(tmp_path / "i.db")
    index.update(
        Document(name, f"hash of {name}", name.upper(), name * 9, "text/plain") for name in "abc"
    )
    return index


def made(table: VectorTable, limit: int = 9) -> list[Parts]:
    return [Parts(each.id, each.hash, (b"aa", b"bb")) for each in table.waiting(limit, 5)]


def test_documents_wait_until_their_vectors_are_made(index: LibraryIndex) -> None:
    table = VectorTable(index.database)
    table.made_by("small")
    assert [each.text for each in table.waiting(2, 5)] == ["aaaaa", "bbbbb"]
    table.put(made(table, 2))
    assert table.n_waiting() == 1 and len(table) == 4
    assert table.all() == ([1, 1, 2, 2], b"aabbaabb")
    assert table.some([2, 3]) == ([2, 2], b"aabb")


def test_a_document_that_changed_waits_again(index: LibraryIndex) -> None:
    table = VectorTable(index.database)
    table.put(made(table))
    before = table.stamp()
    index.update([Document("b", "another hash", "B", "other", "text/plain")], ["a"])
    assert table.stamp() != before
    assert [each.text for each in table.waiting(9, 99)] == ["other"] and len(table) == 2


def test_vectors_of_a_text_that_changed_meanwhile_are_not_kept(index: LibraryIndex) -> None:
    table = VectorTable(index.database)
    late = made(table)
    index.update([Document("c", "new hash", "C", "new", "text/plain")])
    table.put(late)
    assert table.n_waiting() == 1 and len(table) == 4


def test_another_model_makes_all_of_them_anew(index: LibraryIndex) -> None:
    table = VectorTable(index.database)
    table.made_by("small")
    table.put(made(table))
    table.made_by("small")
    assert table.n_waiting() == 0
    table.made_by("large")
    assert table.n_waiting() == 3 and len(table) == 0
