from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.catalog.card import Card
from edge_agent.catalog.catalog import (
    DEFAULT_MODEL,
    EMBEDDING_MODEL,
    SMALL_MODEL,
    Catalog,
    shipped_cards_dir,
)
from edge_agent.catalog.gguf import read_gguf
from edge_agent.config import load_settings
from edge_agent.errors import NotFound
from tests.catalog.tiny import tiny_card

SHIPPED = Catalog.read(shipped_cards_dir())
PROFILES = {"agentcpm", "dr-venus", "qwen", "plain", "none"}


def test_every_shipped_card_stands_under_its_own_name() -> None:
    assert {path.stem for path in shipped_cards_dir().glob("*.toml")} == set(SHIPPED.names)
    assert {DEFAULT_MODEL, SMALL_MODEL, EMBEDDING_MODEL} <= set(SHIPPED.names)


@pytest.mark.parametrize("known", list(SHIPPED), ids=lambda card: card.name)
def test_a_shipped_card_is_consistent(known: Card) -> None:
    assert known.memory_bytes > known.download_bytes
    assert known.default_context <= known.context_length
    assert known.profile in PROFILES
    for source in known.sources:
        assert set(source.files) == {file.name for file in known.files}


def test_the_default_is_the_best() -> None:
    assert SHIPPED.chat_models()[0].name == DEFAULT_MODEL


def test_a_card_tells_the_truth_about_its_file(smollm2_path: Path, qwen_path: Path) -> None:
    for path in (smollm2_path, qwen_path):
        card, header = SHIPPED.of_file(path.name), read_gguf(path)
        assert card is not None
        assert card.context_length == header.context_length
        cache = (header.kv_bytes_per_token or 0) * card.default_context
        assert card.memory_bytes > path.stat().st_size + cache


def test_a_near_name_is_suggested_and_all_are_listed() -> None:
    with pytest.raises(NotFound, match=r"Did you mean smollm2-135m-instruct\?") as caught:
        SHIPPED.get("smollm-135m")
    assert all(name in str(caught.value) for name in SHIPPED.names)


def test_names_are_found_in_any_case() -> None:
    assert SHIPPED.get("AgentCPM-Explore-4B").name == DEFAULT_MODEL


def test_a_persons_own_card_replaces_a_shipped_one(tmp_path: Path) -> None:
    shipped = (shipped_cards_dir() / f"{SMALL_MODEL}.toml").read_text()
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "mine.toml").write_text(shipped.replace("rank = 40", "rank = 999"))
    assert Catalog.load(tmp_path).chat_models()[0].name == SMALL_MODEL


def test_no_folder_of_own_cards_is_no_error() -> None:
    assert Catalog.load(load_settings().models_dir).names[0:1]


def test_a_later_card_of_the_same_name_counts() -> None:
    cards = Catalog([tiny_card([], rank=1), tiny_card([], rank=2)])
    assert [card.rank for card in cards] == [2]
