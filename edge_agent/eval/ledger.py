"""The folder of an evaluation: its settings once, and a line for every try as it ends."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from edge_agent.errors import RequestError, StoreError
from edge_agent.eval.trial import Scored, scored_as_json, scored_from_json

SETTINGS, TRIALS, REPORT = "settings.json", "trials.jsonl", "report.md"


class Ledger:
    """Tries in the order they ended; every line is on the disk before the next try begins.

    Raises StoreError when the folder cannot be used, and RequestError when it was made with other
    settings.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self._trials = folder / TRIALS
        self._report = folder / REPORT
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _agree(folder / SETTINGS, settings)
            self.lines = _kept(self._trials)
        except OSError as error:
            raise _unusable(folder, error) from None

    @property
    def done(self) -> frozenset[tuple[str, int]]:
        """(question, attempt) of every try there is."""
        return frozenset((line.id, line.attempt) for line in self.lines)

    def of(self, questions: Iterable[str]) -> list[Scored]:
        """The tries at the questions of these ids."""
        wanted = frozenset(questions)
        return [line for line in self.lines if line.id in wanted]

    def append(self, line: Scored) -> None:
        """Keep a try."""
        text = json.dumps(scored_as_json(line), ensure_ascii=True) + "\n"
        try:
            with self._trials.open("a", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _unusable(self._trials, error) from None
        self.lines.append(line)

    def write_report(self, text: str) -> None:
        """Replace the report."""
        try:
            self._report.write_text(text.encode("utf-8", "replace").decode(), encoding="utf-8")
        except OSError as error:
            raise _unusable(self._report, error) from None


def _agree(file: Path, settings: Mapping[str, Any]) -> None:
    """Write down the settings, or hold them against those that are there."""
    if not file.exists():
        file.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        return
    try:
        known = json.loads(file.read_text("utf-8"))
        others = [key for key in {**known, **settings} if known.get(key) != settings.get(key)]
    except (ValueError, TypeError):
        raise RequestError(
            f"{file} is not the settings of an evaluation: name another --out."
        ) from None
    if others:
        told = "; ".join(
            f"{key} was {known.get(key)!r}, is {settings.get(key)!r}" for key in others
        )
        message = (
            f"{file.parent} holds an evaluation of other settings ({told}): name another --out."
        )
        raise RequestError(message, "out")


def _kept(file: Path) -> list[Scored]:
    """The whole lines of the file; what a crash cut off at its end is removed from it."""
    data = file.read_bytes() if file.exists() else b""
    whole, _, rest = data.rpartition(b"\n")
    if rest:
        os.truncate(file, len(data) - len(rest))
    lines = [_line(file, number, text) for number, text in enumerate(whole.splitlines(), 1)]
    return list({(line.id, line.attempt): line for line in lines}.values())


def _line(file: Path, number: int, text: bytes) -> Scored:
    try:
        return scored_from_json(json.loads(text))
    except (ValueError, KeyError, TypeError):
        message = f"{file}, line {number} is not a try of this version: name another --out."
        raise RequestError(message, "out") from None


def _unusable(path: Path, error: OSError) -> StoreError:
    return StoreError(f"{path} cannot be used: {error.strerror}. Name another folder with --out.")
