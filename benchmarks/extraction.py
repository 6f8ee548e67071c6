"""How much of an article extraction keeps, how much beside it, and how long it takes.

    python -m benchmarks.extraction FOLDER [--worst 10]

FOLDER holds gold.json, an object of page id -> {"articleBody" or "article": text}, and the pages as
html/ID.html.gz. Texts are compared by the 4-grams of their words, counted, and precision and recall
are the means over pages; F1 is of the two means. Times are of one thread, from bytes to text.
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import trafilatura

from edge_agent.errors import FetchError
from edge_agent.tools.read import markup
from edge_agent.tools.read.charset import charset_of
from edge_agent.tools.read.extract import extract
from edge_agent.tools.read.media import media_type_of

N = 4
URL = "https://news.example/"
Extract = Callable[[bytes], str]


@dataclass(frozen=True, slots=True)
class Score:
    """Of one page; `seconds` on the process's clock."""

    page: str
    precision: float
    recall: float
    seconds: float

    @property
    def f1(self) -> float:
        return f1(self.precision, self.recall)


def f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def shingles(text: str) -> Counter[tuple[str, ...]]:
    """The 4-grams of a text's words; a shorter text is one."""
    words = re.findall(r"\w+", text.lower())
    return Counter(tuple(words[i : i + N]) for i in range(max(1, len(words) - N + 1)))


def compared(gold: str, found: str) -> tuple[float, float]:
    """Precision and recall."""
    g, p = shingles(gold), shingles(found)
    common = (g & p).total()
    return common / max(1, p.total()), common / max(1, g.total())


def ours(data: bytes) -> str:
    """As the browser does it."""
    media_type = media_type_of(data, "text/html")
    try:
        return extract(data, media_type, charset_of(data, "", media_type), URL).text
    except FetchError:
        return ""


def alone(data: bytes) -> str:
    """trafilatura, as it comes."""
    return trafilatura.extract(data.decode("utf-8", "replace")) or ""


def seen(data: bytes) -> str:
    """Everything that a reader sees of the part that the page marks as its content."""
    tree = markup.parse(data.decode("utf-8", "replace"))
    if tree is None:
        return ""
    main = markup.main_part(tree)
    return markup.render(tree if main is None else main)


ARMS: dict[str, Extract] = {
    "edge_agent": ours,
    "trafilatura alone": alone,
    "all that is seen": seen,
}


def scored(pages: Mapping[str, bytes], gold: Mapping[str, str], by: Extract) -> list[Score]:
    """Every page, once before the clock runs for what is loaded at the first."""
    by(next(iter(pages.values())))
    scores = []
    for page, data in pages.items():
        began = time.process_time()
        text = by(data)
        seconds = time.process_time() - began
        scores.append(Score(page, *compared(gold[page], text), seconds))
    return scores


def row(name: str, scores: list[Score]) -> str:
    precision = statistics.fmean(score.precision for score in scores)
    recall = statistics.fmean(score.recall for score in scores)
    times = sorted(1000 * score.seconds for score in scores)
    return (
        f"| {name} | {len(scores)} | {precision:.3f} | {recall:.3f} | {f1(precision, recall):.3f} "
        f"| {statistics.fmean(times):.1f} | {times[len(times) // 2]:.1f} "
        f"| {times[int(0.95 * len(times))]:.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--worst", type=int, default=0, help="show so many pages")
    asked = parser.parse_args()
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    records = json.loads((asked.folder / "gold.json").read_text("utf-8"))
    gold = {page: each.get("article") or each["articleBody"] for page, each in records.items()}
    pages = {
        page: gzip.decompress((asked.folder / "html" / f"{page}.html.gz").read_bytes())
        for page in gold
    }
    print("| | pages | precision | recall | F1 | ms a page | median | 95th |")
    print("|---|---|---|---|---|---|---|---|")
    for name, by in ARMS.items():
        scores = scored(pages, gold, by)
        print(row(name, scores), flush=True)
        for score in sorted(scores, key=lambda one: one.f1)[: asked.worst]:
            print(f"    {score.page[:12]} {score.precision:.2f} {score.recall:.2f}")


if __name__ == "__main__":
    main()
