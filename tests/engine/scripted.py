"""An engine process without a model: it starts in a moment and misbehaves as it is told.

`python -m tests.engine.scripted FD` is started in place of the engine; the path of the LoadSpec is
the name of its script.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from socket import socket
from typing import Any, Protocol

from edge_agent.engine.child import Child
from edge_agent.engine.client import EngineClient
from edge_agent.engine.counts import Counts
from edge_agent.engine.params import Finished, LoadSpec, ModelInfo, Tokens, Usage
from edge_agent.engine.pipe import (
    Answer,
    AskCounts,
    AskEdit,
    AskStats,
    Cancel,
    Output,
    Ping,
    Pong,
    Ready,
    StopThinking,
    Submit,
    Written,
    frame,
    read_blocking,
)

COMMAND = ("-m", "tests.engine.scripted")
FOREVER_S = 3600.0


class Say(Protocol):
    def __call__(self, message: Any) -> None: ...


def client_of(script: str, **more: Any) -> EngineClient:
    """An EngineClient whose process follows the script."""
    spawn = partial(Child.spawn, command=COMMAND)
    more = {"restart_s": (0.0,), "notice": lambda _: None, "spawn": spawn, **more}
    spec = LoadSpec(script, n_ctx=8, n_batch=8, n_parallel=1, n_threads=1)
    return EngineClient(spec, **more)


def good(say: Say, message: Any) -> None:
    """Two tokens and the end for every request; an answer to every question."""
    if isinstance(message, Submit):
        say(Written((Output(message.id, Tokens((1, 2))),)))
        say(Written((Output(message.id, Finished("stop", Usage())),)))
    elif isinstance(message, AskStats | AskEdit | StopThinking):
        say(Answer(message.id, {}))
    elif isinstance(message, AskCounts):
        say(Answer(message.id, Counts(requests=1)))
    elif isinstance(message, Ping):
        say(Pong(0.0, False))


def begins(say: Say, message: Any) -> None:
    """One token for every request, and no end; questions wait, pings do not."""
    if isinstance(message, Submit):
        say(Written((Output(message.id, Tokens((1,))),)))
    elif isinstance(message, Ping):
        say(Pong(0.0, True))


def deaf(say: Say, message: Any) -> None:
    """Whatever comes, nothing is said."""


def still(say: Say, message: Any) -> None:
    """It listens, but takes no step."""
    if isinstance(message, Ping):
        say(Pong(FOREVER_S, True))


def idle(say: Say, message: Any) -> None:
    """It has taken no step for long and has nothing to do: the request is still on its way."""
    if isinstance(message, Ping):
        say(Pong(FOREVER_S, False))


def holds_the_lock(say: Say, message: Any) -> None:
    """A call that keeps the interpreter for itself."""
    if isinstance(message, Submit):
        ctypes.PyDLL(None).sleep(int(FOREVER_S))


def dies(say: Say, message: Any) -> None:
    """At the first thing it is asked."""
    if isinstance(message, Submit):
        sys.stderr.write("it hurt\n")
        os._exit(3)


def babbles(say: Say, message: Any) -> None:
    """Answers that nobody can read."""
    if isinstance(message, Submit):
        say(object)


def dies_on_cancel(say: Say, message: Any) -> None:
    if isinstance(message, Cancel):
        os._exit(4)
    begins(say, message)


SCRIPTS: dict[str, Callable[[Say, Any], None]] = {
    "good": good,
    "begins": begins,
    "deaf": deaf,
    "still": still,
    "idle": idle,
    "holds the lock": holds_the_lock,
    "dies": dies,
    "dies on cancel": dies_on_cancel,
    "babbles": babbles,
}
INFO = ModelInfo("scripted", "scripted", 8, 8, 8, 8, 8, "")


def main() -> None:
    pipe = socket(fileno=int(sys.argv[1]))

    def say(message: Any) -> None:
        pipe.sendall(frame(message))

    name = read_blocking(pipe).spec.path
    if name == "never loads":
        time.sleep(FOREVER_S)
    if name == "dies loading":
        os._exit(5)
    say(Ready(INFO))
    while (message := read_blocking(pipe)) is not None:
        SCRIPTS[name](say, message)
    if name == "deaf":  # to the end of its pipe too
        time.sleep(FOREVER_S)


if __name__ == "__main__":
    main()
