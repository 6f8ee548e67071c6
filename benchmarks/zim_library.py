"""A ZIM file as a library, copied and in place: how long, how much memory, and what is found.

    python -m benchmarks.zim_library CORPUS.jsonl[.xz] QUESTIONS.jsonl ... [--articles 5000]

Writes a ZIM file with a full-text index, by libzim's own writer, of so many pages of CORPUS, those
that the questions need among them, as articles with headings, a list and links. A line of CORPUS is
an object with `title` and a text, one of QUESTIONS an object with `question` and `gold_titles`.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from edge_agent.tools.library.json_lines import JsonLines
from edge_agent.tools.library.kind import AnyLibrary
from edge_agent.tools.library.library import Library
from edge_agent.tools.library.source import Content, Item, silent
from edge_agent.tools.library.zim import Zim, libzim
from edge_agent.tools.library.zim_in_place import ZimInPlace

MIB = 2**20
FETCHES = 100


@dataclass(frozen=True, slots=True)
class Question:
    """gold: titles of the pages that it needs."""

    text: str
    gold: frozenset[str]


def questions_of(files: Sequence[Path], limit: int) -> list[Question]:
    """The first of each file."""
    found = []
    for file in files:
        lines = [line for line in file.read_text("utf-8").splitlines() if line.strip()]
        for record in map(json.loads, lines[:limit]):
            gold = (" ".join(html.unescape(title).split()) for title in record["gold_titles"])
            found.append(Question(record["question"], frozenset(gold)))
    return found


def chosen(corpus: Path, needed: frozenset[str], count: int) -> list[Content]:
    """The pages that are needed, and others up to the count."""
    read = (item.read() for item in JsonLines(corpus).items(silent, {}) if isinstance(item, Item))
    pages = {page.title: page for page in read}
    missing = needed - pages.keys()
    if missing:
        sys.exit(f"{corpus} has no page {min(missing)!r}.")
    first = [pages[title] for title in sorted(needed)]
    others = [page for title, page in pages.items() if title not in needed]
    return (first + others)[:count]


def article(page: Content, near: Sequence[Content]) -> str:
    """As an encyclopaedia shows it: a lead, sections, a list, and what is near."""
    lead, *rest = [part for part in page.text.split("\n") if part.strip()] or [page.title]
    parts = [f"<h2>Part {n}</h2><p>{html.escape(part)}</p>" for n, part in enumerate(rest, 1)]
    linked = "".join(f"<li><a href='{path_of(o)}'>{html.escape(o.title)}</a></li>" for o in near)
    title = html.escape(page.title)
    return (
        f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1>"
        f"<p>{html.escape(lead)}</p>{''.join(parts)}<h2>See also</h2><ul>{linked}</ul>"
        "</body></html>"
    )


def path_of(page: Content) -> str:
    return page.title.replace(" ", "_")


def write(file: Path, pages: Sequence[Content]) -> None:
    """The pages as a ZIM file with an index."""
    writer = libzim("writer")
    with writer.Creator(file).config_indexing(True, "eng") as creator:
        for n, page in enumerate(pages):
            near = pages[max(0, n - 3) : n]
            creator.add_item(_item(writer, path_of(page), page.title, article(page, near)))
        facts = {"Title": "Bench", "Language": "eng", "Date": "2026-01-01", "Name": "bench"}
        for name, value in facts.items():
            creator.add_metadata(name, value)


def _item(writer: Any, path: str, title: str, text: str) -> Any:
    own: Mapping[str, Callable[[Any], Any]] = {
        "get_path": lambda self: path,
        "get_title": lambda self: title,
        "get_mimetype": lambda self: "text/html",
        "get_contentprovider": lambda self: writer.StringProvider(text),
        "get_hints": lambda self: {writer.Hint.FRONT_ARTICLE: 1},
    }
    return type("Article", (writer.Item,), dict(own))()


def measured(name: str, library: AnyLibrary, questions: Sequence[Question]) -> Iterator[str]:
    """Rows of the table."""
    process, before = psutil.Process(), psutil.Process().memory_info().rss
    began = time.perf_counter()
    documents = library.refresh().documents
    yield f"| {name}: {documents} articles, added | {time.perf_counter() - began:.2f} s |"
    times, shares = [], []
    for question in questions:
        began = time.perf_counter()
        hits = library.find(question.text, 10)
        times.append(1000 * (time.perf_counter() - began))
        titles = [" ".join(hit.title.split()) for hit in hits]
        shares.append([len(question.gold & {*titles[:n]}) / len(question.gold) for n in (5, 10)])
    five, ten = np.mean(np.array(shares), axis=0)
    yield f"| {name}: gold pages in the top 5, in the top 10 | {five:.2f}, {ten:.2f} |"
    yield f"| {name}: search, ms, median and 95 % | {_times(times)} |"
    yield f"| {name}: fetch, ms, median and 95 % | {_times(_fetches(library, questions))} |"
    more = (process.memory_info().rss - before) / MIB
    yield f"| {name}: memory, MiB more than before it was opened | {more:.0f} |"


def _fetches(library: AnyLibrary, questions: Sequence[Question]) -> list[float]:
    times = []
    for question in questions[:FETCHES]:
        hits = library.find(question.text, 1)
        if hits:
            began = time.perf_counter()
            page = asyncio.run(library.fetch(hits[0].url))
            times.append(1000 * (time.perf_counter() - began))
            assert page.title == hits[0].title and page.text.strip()
    return times


def _times(times: Sequence[float]) -> str:
    median, p95 = (float(np.percentile(times, at)) for at in (50, 95))
    return f"{median:.1f}, {p95:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("corpus", type=Path)
    parser.add_argument("questions", type=Path, nargs="+")
    parser.add_argument("--articles", type=int, default=5_000)
    parser.add_argument("--limit", type=int, default=100, help="questions of each file")
    given = parser.parse_args()
    questions = questions_of(given.questions, given.limit)
    needed = frozenset(title for question in questions for title in question.gold)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.zim"
        pages = chosen(given.corpus, needed, given.articles)
        began = time.perf_counter()
        write(file, pages)
        took, size = time.perf_counter() - began, file.stat().st_size / 1e6
        print("| | |\n|---|---|")
        print(f"| written by libzim: {len(pages)} articles, {size:.1f} MB | {took:.1f} s |")
        del pages
        copied = Library("copied", Zim(file), Path(folder) / "copied.sqlite", follow=False)
        for name, library in (("in place", ZimInPlace("zim", file)), ("copied", copied)):
            for row in measured(name, library, questions):
                print(row, flush=True)
            library.close()
        size = (Path(folder) / "copied.sqlite").stat().st_size / 1e6
        print(f"| copied: size of its index | {size:.1f} MB |")


if __name__ == "__main__":
    main()
