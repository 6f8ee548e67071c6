"""The process of the bare loop: one JSON object a line in, one out (see `baseline`)."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from typing import Any

from edge_agent.bench.bare import Bare
from edge_agent.engine.params import LoadSpec
from edge_agent.errors import ModelLoadError


def plain(value: Any) -> Any:
    """Dataclasses as objects."""
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) else str(value)  # type: ignore[arg-type]


def main() -> None:
    """Load what the first line says, then answer line by line until the input ends."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print must not mix with the answers

    def say(value: Any) -> None:
        print(json.dumps(value, default=plain), file=out, flush=True)

    try:
        bare = Bare(LoadSpec(**json.loads(sys.stdin.readline())))
    except ModelLoadError as error:
        say({"error": str(error)})
        return
    say({"ready": True})
    for line in sys.stdin:
        say(bare.answer(json.loads(line)))


if __name__ == "__main__":
    main()
