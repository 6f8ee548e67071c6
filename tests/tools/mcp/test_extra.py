from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
sys.modules["mcp"] = None  # as where it is not installed
from edge_agent.errors import ConfigError
from edge_agent.tools.mcp.extra import sdk
try:
    sdk("sdk")
except ConfigError as error:
    print(error)
"""


def test_without_the_sdk_one_sentence_says_what_to_install() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert "pip install 'edge-agent[mcp]'" in done.stdout and done.stderr == ""


def test_the_sdk_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, edge_agent.cli.main; print('mcp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
