"""The folder of an evaluation, with real files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_agent.errors import RequestError, StoreError
from edge_agent.eval.ledger import TRIALS, Ledger
from edge_agent.eval.trial import scored_as_json

from .fakes import line

SETTINGS = {"model": "fake", "k": 1, "set": ["reads=5"], "seconds": 900.0, "seed": None}


def test_what_was_kept_is_there_again(tmp_path: Path) -> None:
    first = Ledger(tmp_path / "a" / "b", SETTINGS)
    first.append(line("q1", answer="Ane \ud800 \u2028 Pollock\n"))
    first.append(line("q2", 1))
    again = Ledger(tmp_path / "a" / "b", SETTINGS)
    assert again.done == {("q1", 0), ("q2", 1)}
    kept, was = ([json.dumps(scored_as_json(one)) for one in x.lines] for x in (again, first))
    assert kept == was


def test_every_line_is_whole_json_as_soon_as_its_try_has_ended(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, SETTINGS)
    for number in range(1, 4):
        ledger.append(line(f"q{number}"))
        kept = (tmp_path / TRIALS).read_text().splitlines()
        assert [json.loads(text)["id"] for text in kept] == [f"q{i + 1}" for i in range(number)]


def test_a_line_that_was_cut_off_is_asked_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, SETTINGS)
    ledger.append(line("q1"))
    ledger.append(line("q2"))
    file = tmp_path / TRIALS
    file.write_bytes(file.read_bytes()[:-40])
    cut = Ledger(tmp_path, SETTINGS)
    assert cut.done == {("q1", 0)}
    cut.append(line("q2"))
    assert Ledger(tmp_path, SETTINGS).done == {("q1", 0), ("q2", 0)}


def test_other_settings_are_refused_with_the_difference(tmp_path: Path) -> None:
    Ledger(tmp_path, SETTINGS).append(line("q1"))
    with pytest.raises(RequestError) as refused:
        Ledger(tmp_path, {**SETTINGS, "k": 3, "arm": "react"})
    assert "k was 1, is 3; arm was None, is 'react'" in str(refused.value)
    assert "model" not in str(refused.value)
    assert Ledger(tmp_path, SETTINGS).done == {("q1", 0)}


@pytest.mark.parametrize("text", ["[]", "{", '"x"'])
def test_settings_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(RequestError, match="name another --out"):
        Ledger(tmp_path, SETTINGS)


def test_a_line_of_another_version_is_refused_with_its_number(tmp_path: Path) -> None:
    Ledger(tmp_path, SETTINGS).append(line("q1"))
    with (tmp_path / TRIALS).open("a") as file:
        file.write('{"id": "q2"}\n')
    with pytest.raises(RequestError, match="line 2"):
        Ledger(tmp_path, SETTINGS)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="Name another folder with --out"):
        Ledger(tmp_path / "file" / "below", SETTINGS)
