"""A file of JSON lines is a library, packed or not, and tolerates what it cannot use."""

from __future__ import annotations

import gzip
import json
import lzma
from pathlib import Path

import pytest

from edge_agent.errors import LibraryError
from edge_agent.tools.library.json_lines import JsonLines, is_json_lines
from edge_agent.tools.library.library import Library

RECORDS = [
    {"id": 7, "title": "Marrow &amp; Light", "url": "https://w.example/a", "text": "A tower."},
    {"title": "Ferry", "paragraphs": ["It sails at dawn.", "It returns at 5 &gt; 4."]},
    {"title": "Empty", "text": ""},
    {"name": "Ilse Varn", "body": "She kept the lamp.", "url": "not an address"},
]


def written(folder: Path, name: str = "pages.jsonl") -> Path:
    lines = [json.dumps(record) for record in RECORDS] + ["{broken", "", "[1]"]
    data = "\n".join(lines).encode()
    packers = {".gz": gzip.compress, ".xz": lzma.compress}
    pack = packers.get(Path(name).suffix)
    (folder / name).write_bytes(pack(data) if pack else data)
    return folder / name


def opened(file: Path) -> Library:
    return Library("wiki", JsonLines(file), file.parent / "index.sqlite")


@pytest.mark.parametrize("name", ["pages.jsonl", "pages.jsonl.gz", "PAGES.NDJSON.xz"])
async def test_each_line_with_a_text_is_a_document(tmp_path: Path, name: str) -> None:
    library = opened(written(tmp_path, name))
    refreshed = library.refresh()
    assert (refreshed.documents, refreshed.skipped) == (3, 3)
    assert dict(refreshed.problems)["line 5"] == "it is not JSON"
    (hit,) = await library.search("tower", 5)
    assert (hit.url, hit.title) == ("https://w.example/a", "Marrow & Light")
    (hit,) = await library.search("sails", 5)
    assert hit.url == "library://wiki/Ferry"
    assert (await library.fetch(hit.url)).text == "It sails at dawn.\n\nIt returns at 5 > 4."


async def test_a_page_is_read_by_its_own_address_as_by_the_librarys(tmp_path: Path) -> None:
    library = opened(written(tmp_path))
    library.refresh()
    assert await library.holds("https://w.example/a#part")
    page = await library.fetch("https://w.example/a")
    assert (await library.fetch("library://wiki/Marrow_amp_Light-7")).text == page.text
    assert page.url == "https://w.example/a" and page.source == "wiki"
    assert not await library.holds("https://w.example/b")


def test_lines_that_move_are_not_read_again(tmp_path: Path) -> None:
    file = written(tmp_path)
    library = opened(file)
    library.refresh()
    lines = file.read_text().splitlines()
    file.write_text("\n".join([json.dumps({"title": "New", "text": "one"}), *reversed(lines[1:])]))
    refreshed = library.refresh()
    assert (refreshed.documents, refreshed.changed, refreshed.removed) == (3, 1, 1)


def test_two_documents_of_one_name_do_not_displace_each_other(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_text("\n".join(json.dumps({"title": "A", "text": text}) for text in ("x", "y")))
    refreshed = opened(file).refresh()
    assert refreshed.documents == 1 and "another document is called A" in refreshed.problems[0][1]


def test_a_file_that_breaks_off_is_told_and_costs_nothing(tmp_path: Path) -> None:
    file = written(tmp_path, "p.jsonl.gz")
    library = opened(file)
    library.refresh()
    file.write_bytes(file.read_bytes()[:-12])
    with pytest.raises(LibraryError, match="cannot be read"):
        library.refresh()
    assert library.counts()[0] == 3
    with pytest.raises(LibraryError, match="cannot be read"):
        opened(tmp_path / "none.jsonl").refresh()


def test_it_is_known_by_its_name() -> None:
    for name in ("a.jsonl", "a.b.NDJSON", "a.jsonl.xz", "a.jsonl.bz2"):
        assert is_json_lines(Path(name))
    for name in ("a.json", "a.gz", "jsonl", "a.txt.gz"):
        assert not is_json_lines(Path(name))
