"""The engine process: one thread owns the model, another listens to the pipe.

Run by `client.py` as `python -m edge_agent.engine.process FD`, with FD one end of a socket pair. It
ends when the other end closes, so that no engine outlives its server.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from socket import socket
from typing import Any

from edge_agent.engine.engine import Engine, Item
from edge_agent.engine.params import Finished
from edge_agent.engine.pipe import (
    Answer,
    AskEdit,
    AskStats,
    Cancel,
    Load,
    LoadFailed,
    Output,
    Ready,
    StopThinking,
    Submit,
    frame,
    read_blocking,
)
from edge_agent.errors import EdgeAgentError


class Inbox:
    """Messages from the pipe, in order; a cancel also breaks off the prefill it is meant for."""

    def __init__(self, pipe: socket, engine: Engine) -> None:
        self._pipe = pipe
        self._engine = engine
        self._messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._listen, name="inbox", daemon=True).start()

    def _listen(self) -> None:
        while (message := read_blocking(self._pipe)) is not None:
            if isinstance(message, Cancel):
                self._engine.brake.cancel(message.id)
            self._messages.put(message)
        os._exit(0)  # the server is gone: a decode that may be running is of use to nobody

    def take(self, wait: bool) -> list[Any]:
        """Everything that has arrived; waits for something when `wait`."""
        messages = [self._messages.get()] if wait else []
        while not self._messages.empty():
            messages.append(self._messages.get())
        return messages


class Host:
    """The engine thread: obey messages, step while there is work."""

    def __init__(self, pipe: socket) -> None:
        self._pipe = pipe

    def run(self) -> None:
        """Load, say so, then serve until the pipe closes."""
        load = read_blocking(self._pipe)
        if not isinstance(load, Load):
            return
        try:
            engine = Engine(load.spec, self._push, log)
            engine.warm_up()
        except EdgeAgentError as error:
            self._send(LoadFailed(str(error)))
            return
        self._send(Ready(engine.info))
        self._serve(engine, Inbox(self._pipe, engine))

    def _serve(self, engine: Engine, inbox: Inbox) -> None:
        while True:
            for message in inbox.take(wait=not engine.has_work):
                self._obey(engine, message)
            if engine.has_work:
                engine.step()

    def _obey(self, engine: Engine, message: Any) -> None:
        if isinstance(message, Submit):
            try:
                engine.submit(message.id, list(message.prompt), message.params)
            except EdgeAgentError as error:
                self._push(message.id, error)
        elif isinstance(message, Cancel):
            engine.cancel(message.id)
        elif isinstance(message, AskStats):
            self._answer(message.id, engine.stats)
        elif isinstance(message, StopThinking):
            self._answer(message.id, lambda: engine.stop_thinking(message.target))
        elif isinstance(message, AskEdit):
            self._answer(message.id, lambda: engine.edit(message.edit))

    def _answer(self, id: int, ask: Callable[[], Any]) -> None:
        try:
            value = ask()
        except EdgeAgentError as error:
            value = error
        self._send(Answer(id, value))

    def _push(self, id: int, item: Item) -> None:
        if not (isinstance(item, Finished) and item.reason == "cancelled"):
            self._send(Output(id, item))

    def _send(self, message: Any) -> None:
        self._pipe.sendall(frame(message))


def log(line: str) -> None:
    """llama.cpp's errors go to stderr, which the server keeps the end of."""
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Entry of the process; Ctrl-C is the server's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Host(socket(fileno=int(sys.argv[1]))).run()


if __name__ == "__main__":
    main()
