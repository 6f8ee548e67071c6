"""How many supporting sentences the refiner keeps, and how long it takes before a model is asked.

    python -m benchmarks.refiner_recall QUESTIONS.jsonl --embedder DIR
    python -m benchmarks.refiner_recall QUESTIONS.jsonl                      words only
    python -m benchmarks.refiner_recall QUESTIONS.jsonl --embedder DIR --set title_words=0

A line of QUESTIONS is an object with `question` and `paragraphs`: a list of objects with `title`,
`sentences`, and, where some of them support the answer, their numbers in `support_idx`. Each
paragraph is a page whose text is its sentences joined. The pages of a question are split, ranked
against the question alone, and the best passages kept until they hold 20, 33 and 50 % of the words.
A supporting sentence counts as kept when 80 % of its characters stand in kept passages. Times are
from text to kept passages, embeddings included and nothing remembered of an earlier question.
`even` and `odd` are the halves by a question's number: one to tune on, the other to report.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_agent.agent.refine.passages import Passage, split
from edge_agent.agent.refine.ranker import Ranker
from edge_agent.agent.refine.selection import select
from edge_agent.agent.refine.weights import WEIGHTS, Weights
from edge_agent.tools.embed import Embedder, TextEmbedder

SHARES = (0.20, 0.33, 0.50)
TIMED_SHARE = 0.33
COVERED = 0.8  # of a sentence's characters: the splitter may see its ends otherwise


@dataclass(frozen=True, slots=True)
class Sentence:
    """A supporting sentence: where it stands on which page."""

    page: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its pages as (title, text), and the sentences that support its answer."""

    text: str
    pages: tuple[tuple[str, str], ...]
    supporting: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """recall by share of words, and milliseconds from text to kept passages."""

    recall: tuple[float, ...]
    ms: float


def question_of(record: Mapping[str, Any]) -> Question:
    """A line of the file. Raises KeyError where a field is missing."""
    pages, supporting = [], []
    for number, paragraph in enumerate(record["paragraphs"]):
        text = ""
        for i, sentence in enumerate(s.strip() for s in paragraph["sentences"]):
            text += " " if text and sentence else ""
            if sentence and i in paragraph.get("support_idx", ()):
                supporting.append(Sentence(number, len(text), len(text) + len(sentence)))
            text += sentence
        pages.append((str(paragraph["title"]), text))
    return Question(str(record["question"]), tuple(pages), tuple(supporting))


def measure(question: Question, embedder: TextEmbedder | None, weights: Weights) -> Outcome:
    """Split, rank and keep, once for each share of the words."""
    began = time.perf_counter()
    split_pages = [split(text) for _, text in question.pages]
    passages = [passage for page in split_pages for passage in page]
    homes = [number for number, page in enumerate(split_pages) for _ in page]
    titles = [question.pages[number][0] for number in homes]
    ranking = Ranker(embedder, weights).scores(question.text, titles, passages)
    costs = [len(passage.text.split()) for passage in passages]
    select(passages, homes, ranking, costs.__getitem__, TIMED_SHARE * sum(costs))
    ms = (time.perf_counter() - began) * 1000
    spans = list(_spans(question, split_pages))
    recall = []
    for share in SHARES:
        kept = select(passages, homes, ranking, costs.__getitem__, share * sum(costs))
        recall.append(_recall(question, [spans[i] for i in kept]))
    return Outcome(tuple(recall), ms)


def _spans(question: Question, split_pages: Sequence[Sequence[Passage]]) -> Iterator[Sentence]:
    """Where every passage stands."""
    for number, page in enumerate(split_pages):
        end = 0
        for passage in page:
            start = question.pages[number][1].index(passage.text, end)
            end = start + len(passage.text)
            yield Sentence(number, start, end)


def _recall(question: Question, kept: Sequence[Sentence]) -> float:
    found = sum(
        sum(
            max(0, min(one.end, wanted.end) - max(one.start, wanted.start))
            for one in kept
            if one.page == wanted.page
        )
        >= COVERED * (wanted.end - wanted.start)
        for wanted in question.supporting
    )
    return found / len(question.supporting)


def report(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """Means over all questions and over both halves; median and p95 of the times."""
    times = [outcome.ms for outcome in outcomes]
    return {
        "n": len(outcomes),
        "recall": _means(outcomes),
        "even": _means(outcomes[::2]),
        "odd": _means(outcomes[1::2]),
        "ms": {
            "median": round(float(np.median(times)), 1),
            "p95": round(float(np.percentile(times, 95)), 1),
        },
    }


def _means(outcomes: Sequence[Outcome]) -> dict[str, float]:
    means = np.mean([outcome.recall for outcome in outcomes], axis=0) if outcomes else SHARES
    return {
        f"{share:.2f}": round(float(mean), 4) for share, mean in zip(SHARES, means, strict=True)
    }


def _questions(path: Path, limit: int) -> list[Question]:
    """The first `limit` questions of the file that name supporting sentences."""
    records = (json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip())
    try:
        asked = [question_of(record) for record in records]
    except KeyError as error:
        sys.exit(f"{path}: a question has no {error}: see the head of this program for the form.")
    asked = [question for question in asked if question.supporting][:limit]
    if not asked:
        sys.exit(f"{path}: no question names its supporting sentences (support_idx).")
    return asked


def _weights(settings: Sequence[str]) -> Weights:
    weights = WEIGHTS
    known = {field.name for field in fields(Weights)}
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in known:
            sys.exit(f"There is no weight {name!r}: use one of {', '.join(sorted(known))}.")
        weights = replace(weights, **{name: float(value)})
    return weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("questions", type=Path)
    parser.add_argument("--embedder", type=Path, help="folder of the embedding model")
    parser.add_argument("--threads", type=int, default=2, help="of the embedding model")
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--set", action="append", default=[], metavar="WEIGHT=VALUE")
    parser.add_argument("--json", action="store_true", help="one object instead of lines")
    given = parser.parse_args()
    asked = _questions(given.questions, given.limit)
    embedder = Embedder(given.embedder, given.threads) if given.embedder else None
    if embedder is not None:
        embedder.encode(["The model is loaded before anything is measured."])
    weights = _weights(given.set)
    found = report([measure(question, embedder, weights) for question in asked])
    found["threads"] = given.threads if embedder else 1
    if given.json:
        print(json.dumps(found))
        return
    for key, value in found.items():
        print(f"{key:8} {value}")


if __name__ == "__main__":
    main()
