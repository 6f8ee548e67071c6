"""The real engine process around an engine that computes nothing and fails as it is told.

`python -m tests.engine.hosted FD`; the path of the LoadSpec says how.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from edge_agent.engine.child import Child
from edge_agent.engine.client import EngineClient
from edge_agent.engine.core.brake import Brake
from edge_agent.engine.counts import Counts, Running
from edge_agent.engine.params import (
    Edit,
    Edited,
    Finished,
    GenerateParams,
    LoadSpec,
    ModelInfo,
    Tokens,
    Usage,
)
from edge_agent.engine.process import Push, main
from edge_agent.errors import ModelLoadError, RequestError

COMMAND = ("-m", "tests.engine.hosted")
FOREVER_S = 3600.0
STEPS = 60
STEP_S = 0.05


def client_of(way: str, **more: Any) -> EngineClient:
    """An EngineClient whose engine fails in this way."""
    spawn = partial(Child.spawn, command=COMMAND)
    more = {"restart_s": (0.0,), "notice": lambda _: None, "spawn": spawn, **more}
    spec = LoadSpec(way, n_ctx=8, n_batch=8, n_parallel=1, n_threads=1)
    return EngineClient(spec, **more)


class FakeEngine:
    """Some steps for every request, a token in each."""

    def __init__(self, spec: LoadSpec, push: Push, log: Callable[[str], None]) -> None:
        self.brake = Brake(lambda wanted: None)
        self.info = ModelInfo(spec.path, "", 8, 8, 8, 8, 8, "")
        self._way = spec.path
        self._push = push
        self._left: dict[int, int] = {}
        if self._way == "no model":
            raise ModelLoadError("There is no such model.")

    @property
    def has_work(self) -> bool:
        return bool(self._left)

    def warm_up(self) -> None:
        if self._way == "cold":
            raise RuntimeError("llama_decode returned -3:\n  compute failed")

    def submit(self, id: int, prompt: list[int], params: GenerateParams) -> None:
        if self._way == "hangs at once":
            time.sleep(FOREVER_S)
        if not prompt:
            raise RequestError("The prompt is empty.")
        self._left[id] = STEPS

    def cancel(self, id: int) -> None:
        self._left.pop(id, None)

    def edit(self, edit: Edit) -> Edited:
        raise RequestError("Nothing can be edited here.")

    def stop_thinking(self, id: int) -> bool:
        return id in self._left

    def step(self) -> None:
        if self._way == "hangs":
            time.sleep(FOREVER_S)
        if self._way == "fails":
            threading.Thread(target=time.sleep, args=(FOREVER_S,)).start()  # as a compiler may
            raise RuntimeError("llama_decode returned -1:\n  invalid input batch")
        time.sleep(STEP_S)
        for id in list(self._left):
            self._left[id] -= 1
            self._push(id, Tokens((1,)))
            if not self._left[id]:
                del self._left[id]
                self._push(id, Finished("length", Usage()))

    def stats(self) -> dict[str, int]:
        return {"running": len(self._left)}

    def counts(self) -> Counts:
        return Counts(requests=len(self._left))

    def running(self) -> tuple[Running, ...]:
        return ()

    def close(self) -> None:
        if self._way.startswith("writes "):
            Path(self._way.removeprefix("writes ")).write_text("to the end")


if __name__ == "__main__":
    main(FakeEngine)
