from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.catalog.card import HubSpec, PathSpec, WheelsSpec
from edge_agent.catalog.cardfile import read_card
from edge_agent.errors import CatalogError

WHOLE = """
name = "own"
title = "My own"
licence = "MIT"
parameters = 1_000
context_length = 2_048
default_context = 1_024
memory_bytes = 5_000
profile = "plain"
rank = 5

[sampling]
temperature = 0.5

[[file]]
name = "own.gguf"
size = 12

[[source]]
kind = "hub"
repo = "me/own"
files = { "own.gguf" = "own-Q4.gguf" }

[[source]]
kind = "wheels"
requirement = "own-part{n}==1.0"
parts = 3
files = { "own.gguf" = "own_part{n}/*.bin" }

[[source]]
kind = "path"
directory = "files"
files = { "own.gguf" = "own.gguf" }
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "own.toml"
    path.write_text(text)
    return path


def test_a_card_is_read_with_its_sources_in_order(tmp_path: Path) -> None:
    card = read_card(written(tmp_path, WHOLE))
    assert card.sampling == {"temperature": 0.5}
    assert [type(source) for source in card.sources] == [HubSpec, WheelsSpec, PathSpec]
    assert card.sources[2] == PathSpec(tmp_path / "files", {"own.gguf": "own.gguf"})
    assert card.download_bytes == 12
    assert card.entry(Path("models")) == Path("models/own.gguf")


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('kind = "hub"', 'kind = "ftp"', "source"),
        ("rank = 5", "", "rank"),
        ("rank = 5", "rank = 5\ncolour = 1", "colour"),
        ('name = "own.gguf"', 'name = "../own.gguf"', "file"),
        ("temperature = 0.5", "temperature = -1", "temperature"),
        ("own-part{n}==1.0", "own-part{n}>=1.0", "requirement"),
        ("own-part{n}==1.0", "own-part==1.0", "hold {n}"),
        ('{ "own.gguf" = "own-Q4.gguf" }', '{ "other.gguf" = "x" }', "hub source must name"),
        ("size = 12", "size = 12\nsha256 = 'abc'", "sha256"),
        ("rank = 5", "rank = ", "not valid TOML"),
    ],
)
def test_a_wrong_card_is_named_with_the_place(
    tmp_path: Path, old: str, new: str, where: str
) -> None:
    assert old in WHOLE
    path = written(tmp_path, WHOLE.replace(old, new, 1))
    with pytest.raises(CatalogError) as caught:
        read_card(path)
    assert str(path) in str(caught.value)
    assert where in str(caught.value)
