"""`python -m edge_agent` is `edge-agent`."""

from __future__ import annotations

from edge_agent.cli.main import app

if __name__ == "__main__":
    app(prog_name="edge-agent")
