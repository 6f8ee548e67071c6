"""Questions with their answers, from a file of JSON lines."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

from edge_agent.errors import RequestError
from edge_agent.eval.gold import Passage, gold_of


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and what is right.

    gold_titles: of the pages that hold the answer. gold: their paragraphs, where the file has them.
    kind: the file's own word for what sort of question it is, or "".
    """

    id: str
    question: str
    answer: str
    aliases: tuple[str, ...] = ()
    gold_titles: tuple[str, ...] = ()
    gold: tuple[Passage, ...] = ()
    kind: str = ""

    @property
    def expected(self) -> tuple[str, ...]:
        """Every answer that is right."""
        return (self.answer, *self.aliases)


@dataclass(frozen=True, slots=True)
class QuestionFile:
    """The questions of a file. sha256: of its bytes, the first 16 hex digits."""

    name: str
    sha256: str
    questions: tuple[Question, ...]


def read_questions(path: Path) -> QuestionFile:
    """Every question of a file, in its order.

    Raises RequestError: no such file, no question in it, or a line that is none, with its number.
    """
    try:
        data = path.read_bytes()
        lines = data.decode("utf-8").split("\n")
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}.", "questions") from None
    except UnicodeDecodeError:
        raise RequestError(f"{path} is not UTF-8 text: give JSON lines.", "questions") from None
    questions = _numbered(path.name, lines)
    if not questions:
        raise RequestError(f"{path} holds no question: give one JSON object a line.", "questions")
    return QuestionFile(path.name, hashlib.sha256(data).hexdigest()[:16], tuple(questions))


def drawn(questions: Sequence[Question], limit: int | None, seed: int | None) -> list[Question]:
    """The first `limit` questions, or with a seed as many drawn at random.

    A larger limit adds to what a smaller one draws. None is all of them.
    """
    if limit is None or limit >= len(questions):
        return list(questions)
    if seed is None:
        return list(questions[:limit])
    order = list(range(len(questions)))
    random.Random(seed).shuffle(order)
    return [questions[i] for i in order[:limit]]


def _numbered(name: str, lines: Sequence[str]) -> list[Question]:
    questions: dict[str, Question] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        question = _question(line, f"{name}, line {number}")
        if question.id in questions:
            message = f"{name}, line {number}: the id {question.id!r} is taken; give each its own."
            raise RequestError(message, "questions")
        questions[question.id] = question
    return list(questions.values())


def _question(line: str, where: str) -> Question:
    record = _object(line, where)
    titles = _texts(record, "gold_titles", where)
    return Question(
        _text(record, "id", where),
        _text(record, "question", where),
        _text(record, "answer", where),
        _texts(record, "aliases", where),
        titles,
        gold_of(record, titles),
        str(record.get("type") or ""),
    )


def _object(line: str, where: str) -> Mapping[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise RequestError(
            f"{where}: this is not JSON; give one object a line.", "questions"
        ) from None
    if not isinstance(record, dict):
        raise RequestError(f"{where}: this is not a JSON object.", "questions")
    return record


def _text(record: Mapping[str, Any], key: str, where: str) -> str:
    value = record.get(key)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (number or (isinstance(value, str) and value.strip())):
        raise RequestError(f'{where}: "{key}" must be a text that is not empty.', "questions")
    return unescape(str(value).strip())


def _texts(record: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = record.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise RequestError(f'{where}: "{key}" must be a list of texts.', "questions")
    return tuple(unescape(one.strip()) for one in value if one.strip())
