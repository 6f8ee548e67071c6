from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.catalog.catalog import DEFAULT_MODEL, SMALL_MODEL, Catalog
from edge_agent.catalog.choose import Choice, choose
from edge_agent.errors import BadModelFile, NotFound, RequestError
from tests.catalog.tiny import gguf_bytes, tiny_card

GB = 1_000_000_000
CARDS = Catalog(
    [
        tiny_card([], DEFAULT_MODEL, "big.gguf", rank=100, memory_bytes=6 * GB),
        tiny_card([], SMALL_MODEL, "small.gguf", rank=40, memory_bytes=2 * GB),
        tiny_card([], "least", "least.gguf", rank=10, memory_bytes=GB),
    ]
)


def auto(folder: Path, memory: int = 16 * GB, hub: bool = True) -> Choice:
    return choose("auto", folder, CARDS, memory, lambda card: hub)


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(gguf_bytes())


def test_auto_takes_the_best_installed(tmp_path: Path) -> None:
    put(tmp_path, "small.gguf", "least.gguf")
    choice = auto(tmp_path)
    assert (choice.name, choice.path) == (SMALL_MODEL, tmp_path / "small.gguf")
    assert "best installed" in choice.reason


def test_auto_passes_over_what_does_not_fit_or_is_cut(tmp_path: Path) -> None:
    put(tmp_path, "big.gguf", "least.gguf")
    (tmp_path / "small.gguf").write_bytes(gguf_bytes()[:-5])
    assert auto(tmp_path, memory=3 * GB).name == "least"


def test_auto_takes_the_smallest_installed_when_nothing_fits(tmp_path: Path) -> None:
    put(tmp_path, "big.gguf", "small.gguf")
    choice = auto(tmp_path, memory=GB // 2)
    assert choice.name == SMALL_MODEL
    assert "memory is short" in choice.reason


def test_auto_pulls_the_default_where_memory_and_the_hub_allow(tmp_path: Path) -> None:
    choice = auto(tmp_path)
    assert (choice.name, choice.path) == (DEFAULT_MODEL, None)
    assert choice.card is not None


@pytest.mark.parametrize(
    ("memory", "hub", "why"),
    [(3 * GB, True, "needs 6.0 GB of memory and 3.0 GB are free"), (16 * GB, False, "the hub")],
)
def test_auto_else_pulls_the_small_one_and_says_why(
    tmp_path: Path, memory: int, hub: bool, why: str
) -> None:
    choice = auto(tmp_path, memory, hub)
    assert (choice.name, choice.path) == (SMALL_MODEL, None)
    assert why in choice.reason


def test_a_file_of_ones_own_is_found_by_path_name_and_stem(tmp_path: Path) -> None:
    put(tmp_path, "mine.gguf")
    for wanted in (str(tmp_path / "mine.gguf"), "mine.gguf", "mine"):
        choice = choose(wanted, tmp_path, CARDS, GB)
        assert (choice.name, choice.path) == ("mine", tmp_path / "mine.gguf")


def test_a_card_is_found_whether_installed_or_not(tmp_path: Path) -> None:
    assert choose("least", tmp_path, CARDS, GB).path is None
    put(tmp_path, "least.gguf")
    assert choose("least", tmp_path, CARDS, GB).path == tmp_path / "least.gguf"


def test_what_is_not_there_or_no_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no model named 'lest'"):
        choose("lest", tmp_path, CARDS, GB)
    with pytest.raises(BadModelFile, match=r"gone\.gguf is not a file"):
        choose("gone.gguf", tmp_path, CARDS, GB)
    (tmp_path / "page.gguf").write_text("<html>")
    with pytest.raises(BadModelFile, match="not a GGUF"):
        choose("page.gguf", tmp_path, CARDS, GB)


def test_an_embedding_model_cannot_answer(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="is an embedding model"):
        choose("all-minilm-l6-v2", tmp_path, Catalog.load(tmp_path), GB)
