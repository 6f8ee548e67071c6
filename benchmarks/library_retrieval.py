"""What a library finds of the pages that a question needs, and how fast it is made and searched.

    python -m benchmarks.library_retrieval CORPUS.jsonl[.xz] QUESTIONS.jsonl ... --index FILE
    python -m benchmarks.library_retrieval CORPUS QUESTIONS ... --index FILE --embedder DIR
    python -m benchmarks.library_retrieval CORPUS --index FILE --embedder DIR --fill 300

A line of QUESTIONS is an object with `question` and `gold_titles`, the titles of the pages that
hold its answer, all of which are in the corpus. `--fill S` makes embeddings for S seconds and ends;
what was made is in the index, so that it can be called until all are. Each question is searched as
it stands. The weights were tuned on the first 100 train questions of each set; `--first 100` shows
others.
"""

from __future__ import annotations

import argparse
import html
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge_agent.store.library.index import LibraryIndex
from edge_agent.store.library.match import any_of, words_of
from edge_agent.store.library.vectors import VectorTable
from edge_agent.tools.embed import Embedder
from edge_agent.tools.library.asked import asked
from edge_agent.tools.library.json_lines import JsonLines
from edge_agent.tools.library.library import Library
from edge_agent.tools.library.meaning import Meanings
from edge_agent.tools.library.ranking import Ranking
from edge_agent.tools.library.weights import WEIGHTS

MODEL = "all-minilm-l6-v2"
ALONE = replace(WEIGHTS, words=0.0, meaning=0.0, named=0.0, linked=0.0)
PLAIN_TITLE_WEIGHT = 5.0
SEARCH = "all, with its snippets"
ARMS = {
    "words": replace(ALONE, words=1.0),
    "embeddings": replace(ALONE, meaning=1.0),
    "words + embeddings": replace(ALONE, words=1.0, meaning=1.0),
    "words + names": replace(WEIGHTS, meaning=0.0),
    "all": WEIGHTS,
}

Find = Callable[[str], list[int]]


@dataclass(frozen=True, slots=True)
class Question:
    """gold: the ids of the pages it needs."""

    text: str
    gold: frozenset[int]


@dataclass(frozen=True, slots=True)
class Score:
    """Shares of gold pages among the first 5 and 10, of questions with all of them there, and
    milliseconds a search."""

    n: int
    pages_5: float
    pages_10: float
    all_5: float
    all_10: float
    ms_median: float
    ms_p95: float


def measure(find: Find, questions: Sequence[Question]) -> Score:
    """Search every question once."""
    rows, times = [], []
    for question in questions:
        began = time.perf_counter()
        found = find(question.text)
        times.append(1000 * (time.perf_counter() - began))
        first = [question.gold & set(found[:n]) for n in (5, 10)]
        shares = [len(some) / len(question.gold) for some in first]
        rows.append((*shares, *(share == 1.0 for share in shares)))
    means = np.mean(np.array(rows, dtype=float), axis=0)
    pages_5, pages_10, all_5, all_10 = (round(float(mean), 3) for mean in means)
    median, p95 = (round(float(np.percentile(times, at)), 1) for at in (50, 95))
    return Score(len(rows), pages_5, pages_10, all_5, all_10, median, p95)


def finders(library: Library, index: LibraryIndex, meanings: Meanings | None) -> dict[str, Find]:
    """Each way to search, by what it is called."""

    def plain(text: str) -> list[int]:
        return [one for one, _ in index.search(any_of(words_of(text)), PLAIN_TITLE_WEIGHT, 10)]

    def by(name: str) -> Find:
        ranking = Ranking(index, meanings, ARMS[name])
        return lambda text: ranking.find(asked(text), 10)

    def whole(text: str) -> list[int]:
        return [ids[hit.url] for hit in library.find(text, 10)]

    ids = {}
    for entry in index.entries(range(1, len(index) + 1)).values():
        ids[entry.url or library.url_of(entry.path)] = entry.id
    known = [name for name in ARMS if meanings is not None or not ARMS[name].meaning]
    return {"plain FTS5": plain, **{name: by(name) for name in known}, SEARCH: whole}


def questions_of(path: Path, index: LibraryIndex, first: int, limit: int) -> list[Question]:
    """`limit` questions of a file from number `first` on."""
    entries = index.entries(range(1, len(index) + 1))  # as a fresh index numbers them
    ids = {" ".join(entry.title.split()): one for one, entry in entries.items()}
    records = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    questions = []
    for record in records[first : first + limit]:
        titles = [" ".join(html.unescape(title).split()) for title in record["gold_titles"]]
        missing = [title for title in titles if title not in ids]
        if missing:
            sys.exit(f"{path}: the corpus has no page {missing[0]!r}.")
        questions.append(Question(record["question"], frozenset(ids[title] for title in titles)))
    return questions


def fill(library: Library, seconds: float) -> None:
    """Make embeddings for a while."""
    began, made = time.monotonic(), 0
    while time.monotonic() - began < seconds and (some := library.fill()):
        made += some
    took = time.monotonic() - began
    _, waiting = library.counts()
    print(f"{made} documents embedded in {took:.0f} s ({made / took:.0f}/s); {waiting} wait")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("corpus", type=Path)
    parser.add_argument("questions", type=Path, nargs="*")
    parser.add_argument("--index", type=Path, required=True, help="made when it is missing")
    parser.add_argument("--embedder", type=Path, help="folder of the embedding model")
    parser.add_argument("--threads", type=int, default=1, help="of the embedding model")
    parser.add_argument("--fill", type=float, default=0.0, metavar="S", help="only embed, so long")
    parser.add_argument("--first", type=int, default=0, help="number of the first question")
    parser.add_argument("--limit", type=int, default=100, help="questions of each file")
    parser.add_argument("--arm", action="append", default=[], help="only these ways to search")
    given = parser.parse_args()
    library = Library("corpus", JsonLines(given.corpus), given.index, follow=False)
    began = time.monotonic()
    refreshed = library.refresh()
    took = time.monotonic() - began
    print(f"{refreshed.documents} pages, {refreshed.changed} indexed, in {took:.1f} s")
    embedder = Embedder(given.embedder, given.threads) if given.embedder else None
    if embedder and given.fill:
        library.embed_with(embedder, MODEL)
        fill(library, given.fill)
        return
    index = LibraryIndex(given.index)
    meanings = Meanings(VectorTable(index.database), embedder, MODEL) if embedder else None
    if meanings:
        print(f"{VectorTable(index.database).n_waiting()} pages without embedding")
        meanings.nearest(meanings.vector("The model is loaded before anything is measured."), 1)
    if embedder:
        library.embed_with(embedder, MODEL)
    library.find("The model is loaded before anything is measured.", 1)
    report(library, index, meanings, given)


def report(
    library: Library, index: LibraryIndex, meanings: Meanings | None, given: argparse.Namespace
) -> None:
    """A table of each file's questions."""
    print("| questions | searched by | pages in 5 | in 10 | all in 5 | in 10 | ms median | p95 |")
    print("|---|---|---|---|---|---|---|---|")
    for path in given.questions:
        questions = questions_of(path, index, given.first, given.limit)
        for name, find in finders(library, index, meanings).items():
            if given.arm and name not in given.arm:
                continue
            s = measure(find, questions)
            shares = " | ".join(f"{x:.2f}" for x in (s.pages_5, s.pages_10, s.all_5, s.all_10))
            print(f"| {path.stem} ({s.n}) | {name} | {shares} | {s.ms_median} | {s.ms_p95} |")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
