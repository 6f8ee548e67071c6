from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from edge_agent.catalog.card import PathSpec
from edge_agent.catalog.cardfile import read_card
from edge_agent.catalog.gguf import GgufHeader, Tensor
from edge_agent.errors import BadModelFile
from quantize.__main__ import main
from quantize.card import guess, slug, write_card

SHOWS_TOOLS = "{% if tools %}<tool_call>{% endif %}"


def header(n_weights: int, template: str = "") -> GgufHeader:
    metadata = {"tokenizer.chat_template": template}
    return GgufHeader(Path("m.gguf"), 3, metadata, (Tensor("w", (n_weights,), 0, 0),), 0)


def test_the_card_is_read_by_the_catalog_and_is_true(small_gguf: Path, tmp_path: Path) -> None:
    write_card(small_gguf, tmp_path / "card.toml")
    card = read_card(tmp_path / "card.toml")
    (file,), (source,) = card.files, card.sources
    assert card.name == "small"
    assert file.name == "small.gguf"
    assert file.size_bytes == small_gguf.stat().st_size
    assert file.sha256 == hashlib.sha256(small_gguf.read_bytes()).hexdigest()
    assert card.context_length == card.default_context == 512
    assert card.sampling["top_k"] == 20
    assert isinstance(source, PathSpec)
    assert source.directory == small_gguf.parent


def test_the_profile_is_guessed_and_explained() -> None:
    assert guess("AgentCPM-Explore Q4", header(1)).profile == "agentcpm"
    assert guess("x", header(4_000_000_000, SHOWS_TOOLS)).profile == "qwen"
    small = guess("x", header(500_000_000, SHOWS_TOOLS))
    assert (small.profile, "0.5 billion" in small.reason) == ("plain", True)
    assert "no tools" in guess("x", header(4_000_000_000)).reason


def test_names_can_be_typed() -> None:
    assert slug("My Model (v2)_Q4_K_M") == "my-model-v2-q4-k-m"
    assert slug("???") == "model"


def test_what_is_no_model_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.gguf"
    page.write_text("<html>")
    with pytest.raises(BadModelFile):
        write_card(page, tmp_path / "card.toml")
    assert main(["card", str(page)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_without_a_target_it_is_printed(
    small_gguf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["card", str(small_gguf)]) == 0
    assert "# guessed: " in capsys.readouterr().out
