"""Pages that are made to cost time or memory: what each costs, as JSON.

python -m tests.tools.read.hostile [BYTES]      of each page that are read; all without it
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from edge_agent.errors import FetchError
from edge_agent.tools.read.extract import extract

STATUS = Path("/proc/self/status")
BODY = "<html><body>"
P = "<p>The keeper of the light went down to the quay and mended nets until noon.</p>"
PAGES: dict[str, Callable[[], str]] = {
    "50,000 boxes in each other": lambda: "<div>" * 50_000 + "deep " * 99 + "</div>" * 50_000,
    "50,000 spans in a line": lambda: f"{BODY}<p>{'<span>' * 50_000}{'deep ' * 99}",
    "a paragraph of 10 MB": lambda: f"{BODY}<p>{'word and more, so it goes on. ' * 350_000}",
    "a word of 10 MB": lambda: f"{BODY}<p>{'x' * 10_000_000}",
    "a million links": lambda: (
        BODY + "".join(f"<a href='/p{i}'>link {i}</a> " for i in range(1_000_000))
    ),
    "a million line breaks": lambda: f"{BODY}<p>{'a<br>' * 1_000_000}",
    "headings in headings": lambda: BODY + "<div><h1>" * 2_000 + "word " * 400_000,
    "tables in tables": lambda: BODY + "<table><tr><td>" * 5_000 + "words here " * 100,
    "300,000 rows": lambda: f"{BODY}<table>{'<tr><td>a</td><td>b c d</td></tr>' * 300_000}",
    "300,000 terms": lambda: f"{BODY}<dl>{'<dt>a<dd>b' * 300_000}",
    "boxes of links": lambda: (
        BODY + ("<footer><aside>" * 4 + "a <a href=x>b</a> " * 9 + "</aside></footer>" * 4) * 20_000
    ),
    "35,000 short paragraphs": lambda: BODY + "".join(f"<p>w{i}.</p>" for i in range(35_000)),
    "a million comments": lambda: BODY + P + "<!-- x -->" * 1_000_000,
    "20,000 attributes": lambda: f"{BODY}<div {' '.join(f'{i:x}b' for i in range(20_000))}>{P}",
    "5 MB of open tags": lambda: BODY + "<" * 5_000_000,
}


def main() -> None:
    most = int(sys.argv[1]) if len(sys.argv) > 1 else None
    print(json.dumps({name: cost(page()[:most]) for name, page in PAGES.items()}, indent=1))


def cost(page: str) -> tuple[float, float, str]:
    """Processor seconds, the most MiB this process has had so far, and what came of it."""
    data, began = page.encode(), time.process_time()
    try:
        told = f"{len(extract(data, 'text/html', 'utf-8', 'https://h.example/').text)} characters"
    except FetchError as error:
        told = error.kind
    return time.process_time() - began, _peak_mib(), told


def _peak_mib() -> float:
    """The most memory of this program; the resource usage of a process begins with the peak of the
    one that started it."""
    if STATUS.is_file():
        lines = (line.split() for line in STATUS.read_text().splitlines())
        return next(int(words[1]) / 1024 for words in lines if words[:1] == ["VmHWM:"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)  # bytes there, else KiB


if __name__ == "__main__":
    sys.exit(main())
