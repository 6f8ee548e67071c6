"""`edge-agent eval` as a process, with a real model over a real web of a few pages."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.shell import ROOT, Shell, eventually
from tests.patience import HANG_S

from ..signals import heeds_ctrl_c
from .localweb import serving

MODEL = ("--model", "smollm2-135m-instruct", "--threads", "1", "--ctx-size", "4096")
RECORDS = [
    {"id": f"q{i}", "question": question, "answer": answer, "gold_titles": titles, "type": "bridge"}
    for i, (question, answer, titles) in enumerate(
        [
            ("Who built the smack Thrift?", "Ane Pollock", ["Thrift (smack)"]),
            ("Where was Ane Pollock born?", "Stennowe", ["Ane Pollock"]),
            ("When is herring sold in Stennowe?", "Mondays", ["Fish market"]),
        ]
    )
]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in RECORDS))
    return file


def lines_of(folder: Path) -> list[dict[str, Any]]:
    file = folder / "trials.jsonl"
    return [json.loads(text) for text in file.read_text().splitlines()] if file.exists() else []


def test_json_is_one_object_and_a_second_call_goes_on(
    shell: Shell, questions: Path, smollm2_path: Path, embedder_dir: Path
) -> None:
    out = shell.folder / "out"
    with serving() as web:
        call = ("eval", "--questions", questions, "--search", web.url, *MODEL, "--arm", "one-shot")
        done = shell.run(*call, "--limit", "2", "--out", out, "--json")
        assert done.returncode == 0, done.stderr
        whole = json.loads(done.stdout)
        assert (whole["n"], whole["k"], whole["tries"]) == (2, 1, 2)
        assert {"em", "f1", "reasons", "seconds", "rates"} <= set(whole)
        assert whole["reasons"] == {"answered": 2}
        assert whole["prefilled_tokens"]["mean"] > 50 and whole["tool_calls"]["mean"] == 2
        assert [line["id"] for line in lines_of(out)] == ["q0", "q1"]
        assert "Ane Pollock in 1871" in (out / "report.md").read_text()
        assert any(path.startswith("/wiki/") for path in web.asked)

        whole_file, asked = (out / "trials.jsonl").read_bytes(), len(web.asked)
        (out / "trials.jsonl").write_bytes(whole_file[:-30])  # as a crash would leave it
        again = shell.run(*call, "--limit", "2", "--out", out, "--json")
        assert json.loads(again.stdout)["tries"] == 2
        assert [line["id"] for line in lines_of(out)] == ["q0", "q1"]
        assert sum("/search" in path for path in web.asked[asked:]) == 1

        more = shell.run(*call, "--limit", "3", "--out", out, "--json")
        assert json.loads(more.stdout)["tries"] == 3
        assert [line["id"] for line in lines_of(out)] == ["q0", "q1", "q2"]
        less = shell.run(*call, "--limit", "1", "--out", out, "--json")
        assert (json.loads(less.stdout)["n"], json.loads(less.stdout)["tries"]) == (1, 1)

        other = shell.run(*call, "--seed", "5", "--out", out)
    assert other.returncode == 1
    assert "seed was None, is 5" in other.stderr and "name another" in other.stderr.lower()


def test_an_agent_is_measured_over_the_loopback_address(
    shell: Shell, questions: Path, smollm2_path: Path, embedder_dir: Path
) -> None:
    out = shell.folder / "out"
    with serving() as web:
        done = shell.run(
            *("eval", "--questions", questions, "--search", web.url, *MODEL, "--limit", "1"),
            *("--steps", "2", "--seconds", "60", "--seed", "1", "--out", out, "--json"),
        )
    assert done.returncode == 0, done.stderr
    whole = json.loads(done.stdout)
    assert whole["n"] == 1 and sum(whole["reasons"].values()) == 1
    assert whole["environment_failures"] == 0
    assert whole["rates"]["citation_precision"] in (None, 1.0)
    (line,) = lines_of(out)
    assert line["actions"] >= 1 and line["run"]["steps"][0]["notes"]
    assert (out / "journal.sqlite").exists()


def test_a_library_is_searched_without_the_web(
    shell: Shell, tmp_path: Path, questions: Path, smollm2_path: Path, embedder_dir: Path
) -> None:
    folder = tmp_path / "shelf"
    folder.mkdir()
    (folder / "thrift.md").write_text("# Thrift\n\nThe Thrift was a smack built by Ane Pollock.\n")
    done = shell.run(
        *("eval", "--questions", questions, "--library", folder, *MODEL, "--limit", "1"),
        *("--arm", "one-shot", "--k", "2", "--seed", "3", "--json"),
    )
    assert done.returncode == 0, done.stderr
    whole = json.loads(done.stdout)
    assert (whole["tries"], sorted(whole["pass_at"])) == (2, ["1", "2"])
    assert whole["settings"]["temperature"] == 0.7
    (where,) = (shell.folder / "data" / "eval").iterdir()
    assert {line["attempt"] for line in lines_of(where)} == {0, 1}


def test_a_search_that_is_down_is_told_apart_from_wrong_answers(
    shell: Shell, questions: Path, smollm2_path: Path, embedder_dir: Path
) -> None:
    with serving(search_status=503) as web:
        done = shell.run(
            *("eval", "--questions", questions, "--search", web.url, *MODEL, "--json"),
            *("--arm", "one-shot"),
        )
    whole = json.loads(done.stdout)
    assert (whole["n"], whole["em"], whole["environment_failures"]) == (3, 0, 3)
    assert whole["reasons"] == {"tool_failed": 3}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_a_readable_file_and_a_report(
    number: int, shell: Shell, questions: Path, smollm2_path: Path, embedder_dir: Path
) -> None:
    out = shell.folder / "out"
    call = ("eval", "--questions", questions, *MODEL, "--arm", "closed-book", "--k", "100")
    process = subprocess.Popen(
        shell.command(*call, "--out", out, "--json"),
        cwd=ROOT,
        env=shell.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heeds_ctrl_c,
    )
    try:
        assert eventually(lambda: len(lines_of(out)) >= 2, 120)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=HANG_S)
    finally:
        process.kill()
    assert (process.returncode, stdout) == (130, "") and "Traceback" not in stderr
    assert 2 <= len(lines_of(out)) < 300
    assert "Unfinished" in (out / "report.md").read_text()


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--arm", "magic"), "There is no arm 'magic': use one of agent, closed-book"),
        ((), "The arm agent has nothing to search"),
        (("--search", "nowhere"), "--search takes a URL"),
        (("--library", "/no/such/folder"), "is not a folder"),
        (("--search", "http://127.0.0.1:9", "--profile", "x"), "There is no profile 'x'"),
    ],
)
def test_a_wrong_flag_is_one_sentence(
    shell: Shell, questions: Path, flags: tuple[str, ...], sentence: str
) -> None:
    assert sentence in shell.refused("eval", "--questions", questions, *MODEL, *flags)


def test_a_bad_line_is_one_sentence_before_a_model_is_loaded(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text('{"id": "a", "question": "Who?", "answer": "Ane"}\nnot json\n')
    told = shell.refused("eval", "--questions", file, "--arm", "closed-book")
    assert told == "bad.jsonl, line 2: this is not JSON; give one object a line."
