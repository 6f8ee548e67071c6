"""The recall benchmark counts what it says it counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.refiner_recall import measure, question_of, report
from edge_agent.agent.refine.weights import WEIGHTS

ROOT = Path(__file__).resolve().parents[2]
RAIN = [f"It rained on day {i} of that long and windy year." for i in range(20)]
BUILT = "The Thrift was built by Ane Pollock."
RECORD = {
    "question": "Who built the Thrift?",
    "paragraphs": [
        {"title": "Thrift", "sentences": [BUILT, *RAIN], "support_idx": [0]},
        {"title": "Rain", "sentences": [" It rains. ", "", "It pours. "]},
    ],
}
HIDDEN = {
    "question": "Who built the Thrift?",
    "paragraphs": [
        {"title": "Rain", "sentences": RAIN, "support_idx": [15]},
        {"title": "Thrift", "sentences": ["The Thrift was built by Ane Pollock at Orvel."]},
    ],
}


def test_pages_are_the_sentences_joined_and_supporting_ones_are_placed() -> None:
    question = question_of(RECORD)
    assert question.pages[1] == ("Rain", "It rains. It pours.")
    (wanted,) = question.supporting
    assert question.pages[wanted.page][1][wanted.start : wanted.end].endswith("Ane Pollock.")


def test_recall_tells_a_found_sentence_from_a_missed_one() -> None:
    assert measure(question_of(RECORD), None, WEIGHTS).recall == (1.0, 1.0, 1.0)
    assert measure(question_of(HIDDEN), None, WEIGHTS).recall[0] == 0.0


def test_the_report_has_means_halves_and_times() -> None:
    outcomes = [measure(question_of(record), None, WEIGHTS) for record in (RECORD, HIDDEN)]
    found = report(outcomes)
    assert found["n"] == 2
    assert found["even"] == {"0.20": 1.0, "0.33": 1.0, "0.50": 1.0}
    assert found["recall"]["0.20"] == 0.5  # type: ignore[index]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "benchmarks/refiner_recall.py", *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=300)


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    path.write_text("\n".join(json.dumps(record) for record in (RECORD, HIDDEN, RECORD)))
    return path


def test_the_program_prints_one_object(questions: Path, embedder_dir: Path) -> None:
    done = run(
        str(questions), "--embedder", str(embedder_dir), "--threads", "1", "--limit", "2", "--json"
    )
    found = json.loads(done.stdout)
    assert (found["n"], found["threads"]) == (2, 1)
    assert set(found["recall"]) == {"0.20", "0.33", "0.50"}
    assert found["ms"]["p95"] >= found["ms"]["median"] > 0


@pytest.mark.parametrize(
    ("lines", "arguments", "told"),
    [
        ('{"question": "x"}', [], "paragraphs"),
        ('{"question": "x", "paragraphs": []}', [], "support_idx"),
        (json.dumps(RECORD), ["--set", "luck=1"], "luck"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_sentence(
    tmp_path: Path, lines: str, arguments: list[str], told: str
) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text(lines)
    done = run(str(path), *arguments)
    assert done.returncode != 0
    assert told in done.stderr
    assert "Traceback" not in done.stderr
