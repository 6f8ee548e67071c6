"""The official client of OpenAI for Node, which npm installs into a temporary folder."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients.asked import is_weather
from tests.clients.conftest import Server

PACKAGE = "openai@>=5 <8"
SCRIPT = Path(__file__).with_name("openai_client.mjs")
INSTALL_S = 300
RUN_S = 300


@pytest.fixture(scope="session")
def script(_asked_for: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script in a folder that holds the package."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("node")
    (folder / "package.json").write_text('{"private": true}')
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", PACKAGE]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S)
    assert done.returncode == 0, f"npm could not install {PACKAGE}: {done.stderr[-500:]}"
    return Path(shutil.copy(SCRIPT, folder))


def run(script: Path, server: Server, case: str) -> Any:
    """What the script prints."""
    command = ["node", str(script), server.v1, server.model, case]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_chat(script: Path, small: Server) -> None:
    answer = run(script, small, "chat")
    assert answer["text"] and 0 < answer["tokens"] <= 24


def test_streaming(script: Path, small: Server) -> None:
    answer = run(script, small, "stream")
    assert len(answer["pieces"]) > 1 and answer["tokens"] > 0


@pytest.mark.parametrize("case", ["tool", "tool_streamed", "responses_tool"])
def test_a_tool_call(script: Path, caller: Server, case: str) -> None:
    call = run(script, caller, case)["call"]
    assert is_weather(call["name"], call["arguments"])


def test_tools_that_the_client_runs(script: Path, caller: Server) -> None:
    answer = run(script, caller, "run_tools")
    assert set(answer["asked"]) == {"Oslo"}


def test_responses(script: Path, small: Server) -> None:
    answer = run(script, small, "responses")
    assert answer["text"] and len(answer["pieces"]) > 1
