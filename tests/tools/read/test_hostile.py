"""Pages that are made to cost time or memory cost little of either."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.tools.read.apart import EXTRACT_S, LARGE_BYTES, extract_apart, is_heavy
from edge_agent.tools.read.document import MAX_CHARS
from edge_agent.tools.read.markup import MAX_LINKS
from tests.patience import HANG_S

from .hostile import PAGES

ROOT = Path(__file__).parents[3]
MOST_MIB = 500.0  # 180 were seen, most of it the modules
ENORMOUS = ("50,000 boxes in each other", "a paragraph of 10 MB", "a million links")


def test_what_is_read_in_the_servers_process_costs_little() -> None:
    command = [sys.executable, "-m", "tests.tools.read.hostile", str(LARGE_BYTES)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    costs = json.loads(done.stdout)
    assert costs.keys() == PAGES.keys()
    for name, (seconds, peak_mib, told) in costs.items():
        assert seconds < EXTRACT_S / 3 and peak_mib < MOST_MIB, (name, seconds, peak_mib)
        assert told.endswith(" characters") or told == "empty", (name, told)


@pytest.mark.parametrize("name", ENORMOUS)
async def test_an_enormous_page_is_read_to_its_limit_elsewhere(name: str) -> None:
    page = PAGES[name]().encode()
    assert is_heavy(page, "text/html")
    found = await extract_apart(page, "text/html", "utf-8", "https://h.example/", HANG_S)
    assert 0 < len(found.text) < MAX_CHARS + 100 and len(found.links) <= MAX_LINKS


@pytest.mark.parametrize("media_type", ["application/pdf", "text/html"])
def test_what_is_small_is_heavy_by_its_kind_alone(media_type: str) -> None:
    assert is_heavy(b"x", media_type) is (media_type == "application/pdf")
