"""A server of tools without any library, which misbehaves as its first argument says."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

HOW, WHERE = sys.argv[1], sys.argv[2]


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    if asked["method"] == "initialize":
        about = {"name": "rude", "version": "1"}
        can = {"protocolVersion": "2024-11-05", "capabilities": {"tools": {}}, "serverInfo": about}
        return {"result": can}
    if asked["method"] == "tools/list":
        return {"result": {"tools": [{"name": "hum", "inputSchema": {"type": "object"}}]}}
    if asked["method"] == "tools/call":
        misbehave()
        return {"result": {"content": [{"type": "text", "text": "hum"}]}}
    return {"error": {"code": -32601, "message": "unknown"}}


def misbehave() -> None:
    if HOW == "shouts":
        while True:
            sys.stdout.write("x" * 65536)
    if HOW == "deaf":
        time.sleep(60)


if HOW == "litters":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with open(WHERE, "w") as file:  # noqa: PTH123
        file.write(str(child.pid))
print("Welcome to rude 1.0!", flush=True)
for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer(message)}), flush=True)
