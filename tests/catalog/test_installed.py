from __future__ import annotations

from pathlib import Path

from edge_agent.catalog.catalog import Catalog
from edge_agent.catalog.installed import is_installed, list_installed
from tests.catalog.tiny import gguf_bytes, tiny_card

GOOD = gguf_bytes(context=2048)


def test_cards_own_files_and_bad_ones_are_listed_as_what_they_are(tmp_path: Path) -> None:
    card = tiny_card([], name="known", file="known-q4.gguf", data=GOOD)
    (tmp_path / "known-q4.gguf").write_bytes(GOOD)
    (tmp_path / "mine.gguf").write_bytes(gguf_bytes(context=512))
    (tmp_path / "half.gguf").write_bytes(GOOD[:60])
    (tmp_path / "notes.txt").write_text("not a model")
    listed = {model.name: model for model in list_installed(tmp_path, Catalog([card]))}
    assert set(listed) == {"known", "mine", "half"}
    assert (listed["known"].card, listed["known"].context_length) == (card, 2048)
    assert (listed["mine"].card, listed["mine"].size_bytes) == (None, len(GOOD))
    assert "half.gguf is cut" in (listed["half"].problem or "")


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert list_installed(tmp_path / "gone", Catalog([])) == []


def test_a_file_of_another_size_or_cut_is_not_installed(tmp_path: Path) -> None:
    sized, unsized = tiny_card([], data=GOOD), tiny_card([])
    path = tmp_path / "tiny.gguf"
    path.write_bytes(GOOD)
    assert is_installed(sized, tmp_path)
    assert is_installed(unsized, tmp_path)
    path.write_bytes(GOOD[:-1])
    assert not is_installed(sized, tmp_path)
    assert not is_installed(unsized, tmp_path)
