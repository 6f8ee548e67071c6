"""Questions out of files that people made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_agent.errors import RequestError
from edge_agent.eval.question import Question, drawn, read_questions

GOOD = {"id": "q1", "question": "Who?", "answer": "Ane"}


def written(folder: Path, *lines: Any) -> Path:
    file = folder / "questions.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    file.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return file


def test_every_field_is_read_and_entities_are_unescaped(tmp_path: Path) -> None:
    record = {
        **GOOD,
        "answer": "Procter &amp; Gamble",
        "aliases": ["P&amp;G"],
        "gold_titles": ["Procter &amp; Gamble"],
        "type": "bridge",
        "level": "unknown fields do no harm",
    }
    (question,) = read_questions(written(tmp_path, record)).questions
    assert question.expected == ("Procter & Gamble", "P&G")
    assert question.gold_titles == ("Procter & Gamble",)
    assert (question.kind, question.gold) == ("bridge", ())


def test_blank_lines_and_numbers_are_taken(tmp_path: Path) -> None:
    file = written(
        tmp_path, GOOD, "", {"id": 2, "question": "How many?", "answer": 17, "aliases": None}
    )
    assert [(q.id, q.answer) for q in read_questions(file).questions] == [
        ("q1", "Ane"),
        ("2", "17"),
    ]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{", "line 2: this is not JSON; give one object a line."),
        ("[" * 100_000, "line 2: this is not JSON; give one object a line."),
        ("[1]", "line 2: this is not a JSON object."),
        ({"id": "q2", "question": "Who?"}, 'line 2: "answer" must be a text that is not empty.'),
        ({**GOOD, "id": True}, 'line 2: "id" must be a text that is not empty.'),
        ({**GOOD, "question": " "}, 'line 2: "question" must be a text that is not empty.'),
        ({**GOOD, "id": "q2", "aliases": "A"}, 'line 2: "aliases" must be a list of texts.'),
        (GOOD, "line 2: the id 'q1' is taken; give each its own."),
    ],
)
def test_a_bad_line_is_one_sentence_with_its_number(
    tmp_path: Path, line: Any, sentence: str
) -> None:
    with pytest.raises(RequestError) as refused:
        read_questions(written(tmp_path, GOOD, line))
    assert str(refused.value) == f"questions.jsonl, {sentence}"


def test_a_file_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot be read: No such file"):
        read_questions(tmp_path / "none.jsonl")
    with pytest.raises(RequestError, match="cannot be read: Is a directory"):
        read_questions(tmp_path)
    with pytest.raises(RequestError, match="holds no question"):
        read_questions(written(tmp_path, ""))
    (tmp_path / "latin").write_bytes(b'{"id": "\xe9"}')
    with pytest.raises(RequestError, match="is not UTF-8"):
        read_questions(tmp_path / "latin")


def test_a_change_of_the_file_changes_its_hash(tmp_path: Path) -> None:
    before = read_questions(written(tmp_path, GOOD)).sha256
    assert read_questions(written(tmp_path, GOOD)).sha256 == before
    assert read_questions(written(tmp_path, {**GOOD, "answer": "Bo"})).sha256 != before


QUESTIONS = [Question(str(i), "?", "!") for i in range(50)]


def test_without_a_seed_the_first_are_taken() -> None:
    assert drawn(QUESTIONS, 3, None) == QUESTIONS[:3]
    assert drawn(QUESTIONS, None, 1) == QUESTIONS
    assert drawn(QUESTIONS, 99, 1) == QUESTIONS


def test_a_seed_draws_the_same_ones_again_and_a_larger_limit_adds_to_them() -> None:
    small, large = drawn(QUESTIONS, 10, 7), drawn(QUESTIONS, 20, 7)
    assert small == drawn(QUESTIONS, 10, 7) == large[:10]
    assert small != drawn(QUESTIONS, 10, 8) and small != QUESTIONS[:10]
    assert len({question.id for question in large}) == 20
