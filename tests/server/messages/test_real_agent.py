"""The agent as a model, the whole way down: Anthropic's client, `edge-agent serve`, a library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest

from tests.cli.shell import Shell
from tests.patience import HANG_S

PAGES = {
    "light.md": "# The Southmoor Light\n\nThe Southmoor Light is kept by Ada Holm.\n",
    "ferry.md": "# The ferry\n\nThe ferry to the isle leaves at dawn on Mondays.\n",
}
SCHEME = "library://isle/"
ASKED: Any = {
    "model": "agent",
    "max_tokens": 400,  # of the whole run
    "messages": [{"role": "user", "content": "Who keeps the Southmoor Light?"}],
}


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "isle"
    folder.mkdir()
    for name, text in PAGES.items():
        (folder / name).write_text(text)
    return folder


def test_a_run_over_a_library_is_a_streamed_message_with_its_steps_and_its_proof(
    tmp_path: Path, library: Path, smollm2_path: Path, embedder_dir: Path
) -> None:
    flags = ("--model", smollm2_path, "--ctx-size", "2048", "--library", library)
    with Shell(tmp_path).serving(*flags) as server:
        client = anthropic.Anthropic(
            base_url=server.url, api_key="unused", max_retries=0, timeout=HANG_S
        )
        with client.messages.stream(**ASKED) as stream:
            kinds = [event.type for event in stream]
            answer: Any = stream.get_final_message()
        (run,) = httpx.get(f"{server.url}/agent/runs", timeout=HANG_S).json()["data"]
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop"
    steps, *said = answer.content
    assert steps.type == "thinking" and "→ search" in steps.thinking
    assert {block.type for block in said} == {"text"}
    assert answer.stop_reason == "end_turn" and answer.usage.output_tokens > 0
    text = "".join(block.text for block in said)
    assert run["status"] == "completed" and all(w in text for w in run["answer"].split())
    cited = [cited for block in said for cited in block.citations or ()]
    assert cited
    for each in cited:
        assert each.type == "web_search_result_location" and each.url.startswith(SCHEME)
        assert each.cited_text in PAGES[each.url.removeprefix(SCHEME)]
