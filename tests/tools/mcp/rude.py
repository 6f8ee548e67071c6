"""A server of tools without any library, which misbehaves as its first argument says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

HOW, WHERE = sys.argv[1], sys.argv[2]
NAMES = ["hum"]


class NoAnswer(Exception):
    """The call is left without one."""


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    if asked["method"] == "initialize":
        about = {"name": "rude", "version": "1"}
        can = {"protocolVersion": "2024-11-05", "capabilities": {"tools": {}}, "serverInfo": about}
        return {"result": can}
    if asked["method"] == "tools/list":
        return {
            "result": {"tools": [{"name": n, "inputSchema": {"type": "object"}} for n in NAMES]}
        }
    if asked["method"] == "tools/call":
        misbehave(asked["params"].get("arguments", {}))
        return {"result": {"content": [{"type": "text", "text": "hum"}]}}
    return {"error": {"code": -32601, "message": "unknown"}}


def misbehave(arguments: dict[str, Any]) -> None:
    if HOW == "shouts":
        while True:
            sys.stdout.write("x" * 65536)
    if HOW == "dies":
        print("out of paper", file=sys.stderr, flush=True)
        os._exit(3)
    if arguments.get("never"):
        raise NoAnswer
    if HOW == "grows":
        NAMES.append("whistle")
        print('{"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}', flush=True)
    if HOW == "deaf":
        (Path(WHERE) / "called").touch()
        time.sleep(60)


if HOW == "sulks":
    sys.exit("rude: closed on Sundays")
if HOW == "litters":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    Path(WHERE).write_text(str(child.pid))
print("Welcome to rude 1.0!", flush=True)
for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        with suppress(NoAnswer):
            said = {"jsonrpc": "2.0", "id": message["id"], **answer(message)}
            print(json.dumps(said), flush=True)
