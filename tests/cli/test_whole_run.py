"""The main job with a real model: one question over the sample library, down to a literal quote."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote

from edge_agent.tools.read.extract import extract

from .shell import ROOT, Shell

SITE = ROOT / "examples" / "site"
QUESTION = "Who keeps the Southmoor Light?"
SCHEME = "library://site/"


def test_a_run_ends_with_an_answer_whose_quotes_stand_on_the_cited_pages(
    shell: Shell, agent_model_path: Path, embedder_dir: Path
) -> None:
    done = shell.run(
        *("run", QUESTION, "--library", SITE, "--json"),
        *("--model", agent_model_path, "--ctx-size", "4096", "--threads", "1"),
        *("--steps", "3", "--tokens", "800", "--seconds", "400", "--seed", "1"),
    )
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    assert run["status"] == "completed" and run["reason"]
    assert run["answer"].strip() and run["id"] in done.stderr
    assert run["steps"] and run["usage"]["completion_tokens"] > 0
    assert run["citations"]
    for citation in run["citations"]:
        assert (citation["source"], citation["url"].startswith(SCHEME)) == ("site", True)
        assert citation["quote"] and citation["quote"] in text_of(citation["url"])


def text_of(url: str) -> str:
    """The text of a page of the library, read afresh from its file."""
    file = SITE / unquote(url.removeprefix(SCHEME))
    kinds = {".html": "text/html", ".pdf": "application/pdf"}
    return extract(file.read_bytes(), kinds[file.suffix], "utf-8", url).text
