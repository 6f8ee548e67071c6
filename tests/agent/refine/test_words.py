from __future__ import annotations

from edge_agent.agent.refine.words import words


def test_plurals_little_words_and_accents_do_not_matter() -> None:
    assert words("The ships of the harbours") == words("a ship in harbour")
    assert words("Alû") == words("alu")


def test_a_script_without_spaces_is_read_in_pairs() -> None:
    assert words("灯台の高さ") == ["灯台", "台の", "の高", "高さ"]
    assert set(words("灯台")) <= set(words("東の灯台"))


def test_scripts_side_by_side_are_told_apart() -> None:
    assert words("iPhone手机") == ["iphone", "手机"]


def test_words_of_indic_scripts_stay_whole() -> None:
    assert len(words("हिन्दी भाषा")) == 2
