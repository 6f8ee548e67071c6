"""The engine process: one thread owns the model, another listens to the pipe.

Run by `child.py` as `python -m edge_agent.engine.process FD`, with FD one end of a socket pair. It
ends when the other end closes, so that no engine outlives its server.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from socket import socket
from typing import Any, Protocol

from edge_agent.engine.core.brake import Brake
from edge_agent.engine.core.engine import Engine, Item
from edge_agent.engine.counts import Counts, Running
from edge_agent.engine.params import Edit, Edited, Finished, GenerateParams, LoadSpec, ModelInfo
from edge_agent.engine.pipe import (
    Answer,
    AskCounts,
    AskEdit,
    AskRunning,
    AskStats,
    Cancel,
    Load,
    LoadFailed,
    Output,
    Ping,
    Ready,
    StopThinking,
    Submit,
    Written,
    frame,
    read_blocking,
)
from edge_agent.engine.watchdog import Progress
from edge_agent.errors import EdgeAgentError

FAILED = 1  # exit code after an error of our own
END_S = 2.0  # for the engine to end its step and what it is writing, once the server is gone


class Steps(Protocol):
    """What a process hosts (`engine.Engine`); all but the brake belong to one thread."""

    brake: Brake

    @property
    def info(self) -> ModelInfo: ...
    @property
    def has_work(self) -> bool: ...
    def warm_up(self) -> None: ...
    def submit(self, id: int, prompt: list[int], params: GenerateParams) -> None: ...
    def cancel(self, id: int) -> None: ...
    def edit(self, edit: Edit) -> Edited: ...
    def stop_thinking(self, id: int) -> bool: ...
    def step(self) -> None: ...
    def stats(self) -> dict[str, int]: ...
    def counts(self) -> Counts: ...
    def running(self) -> tuple[Running, ...]: ...
    def close(self) -> None: ...


class End:
    """The last message: the other end of the pipe is closed."""


Push = Callable[[int, Item], None]
Open = Callable[[LoadSpec, Push, Callable[[str], None]], Steps]


class Outbox:
    """The way out: whole messages, from either thread. When nobody is left to read them they are
    lost, and the inbox ends the process. What is pushed waits for `flush`."""

    def __init__(self, pipe: socket) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()
        self._pushed: list[Output] = []

    def send(self, message: Any) -> None:
        with self._lock, suppress(ConnectionError):
            self._pipe.sendall(frame(message))

    def push(self, id: int, item: Item) -> None:
        """What a generation produced; who cancelled one does not wait for its end."""
        if not (isinstance(item, Finished) and item.reason == "cancelled"):
            self._pushed.append(Output(id, item))

    def flush(self) -> None:
        """Send what was pushed."""
        if self._pushed:
            self.send(Written(tuple(self._pushed)))
            self._pushed.clear()


class Inbox:
    """Messages from the pipe, in order; listens from the first moment to the last.

    A ping is answered at once. A cancel also breaks off the prefill it is meant for. The end of the
    pipe is the end of the process, soon: what may be running is of use to nobody.
    """

    def __init__(self, pipe: socket, answer: Callable[[], None]) -> None:
        self._pipe = pipe
        self._answer = answer
        self._brake: Brake | None = None
        self._messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._listen, name="inbox", daemon=True).start()

    def connect(self, brake: Brake) -> None:
        """From now on there is something to break off."""
        self._brake = brake

    def _listen(self) -> None:
        try:
            while (message := read_blocking(self._pipe)) is not None:
                self._hear(message)
        finally:
            self._messages.put(End())
            time.sleep(END_S if self._brake else 0)
            os._exit(0)

    def _hear(self, message: Any) -> None:
        if isinstance(message, Ping):
            self._answer()
            return
        if isinstance(message, Cancel) and self._brake is not None:
            self._brake.cancel(message.id)
        self._messages.put(message)

    def take(self, wait: bool) -> list[Any]:
        """Everything that has arrived; waits for something when `wait`."""
        messages = [self._messages.get()] if wait else []
        while not self._messages.empty():
            messages.append(self._messages.get())
        return messages


class Host:
    """The engine thread: obey messages, step while there is work."""

    def __init__(self, pipe: socket, open_engine: Open = Engine) -> None:
        self._open = open_engine
        self._outbox = Outbox(pipe)
        self._progress = Progress()
        self._inbox = Inbox(pipe, lambda: self._outbox.send(self._progress.pong()))

    def run(self) -> None:
        """Load, say so, then serve until the pipe closes; returns early when nothing is loaded."""
        (load,) = self._inbox.take(wait=True)
        assert isinstance(load, Load)
        try:
            engine = self._open(load.spec, self._outbox.push, log)
            engine.warm_up()
        except EdgeAgentError as error:
            self._outbox.send(LoadFailed(str(error)))
            return
        self._inbox.connect(engine.brake)
        self._outbox.send(Ready(engine.info))
        self._serve(engine)
        engine.close()

    def _serve(self, engine: Steps) -> None:
        while True:
            if not engine.has_work:
                self._progress.resting()
            messages = self._inbox.take(wait=not engine.has_work)
            self._progress.working()
            for message in messages:
                if isinstance(message, End):
                    return
                self._obey(engine, message)
            if engine.has_work:
                engine.step()
            self._outbox.flush()

    def _obey(self, engine: Steps, message: Any) -> None:
        if isinstance(message, Submit):
            try:
                engine.submit(message.id, list(message.prompt), message.params)
            except EdgeAgentError as error:
                self._outbox.push(message.id, error)
        elif isinstance(message, Cancel):
            engine.cancel(message.id)
        elif isinstance(message, AskStats):
            self._reply(message.id, engine.stats)
        elif isinstance(message, AskCounts):
            self._reply(message.id, engine.counts)
        elif isinstance(message, AskRunning):
            self._reply(message.id, engine.running)
        elif isinstance(message, StopThinking):
            self._reply(message.id, lambda: engine.stop_thinking(message.target))
        elif isinstance(message, AskEdit):
            self._reply(message.id, lambda: engine.edit(message.edit))

    def _reply(self, id: int, ask: Callable[[], Any]) -> None:
        try:
            value = ask()
        except EdgeAgentError as error:
            value = error
        self._outbox.send(Answer(id, value))


def log(line: str) -> None:
    """llama.cpp's errors go to stderr, which the server keeps the end of."""
    print(line, file=sys.stderr, flush=True)


def main(open_engine: Open = Engine) -> None:
    """Entry of the process; Ctrl-C is the server's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        Host(socket(fileno=int(sys.argv[1])), open_engine).run()
        os._exit(0)
    except Exception as error:
        traceback.print_exc()
        words = " ".join(str(error).split())  # one line: the last one is what the server shows
        log(f"{type(error).__name__}: {words}")
        os._exit(FAILED)  # at once, as above: else a grammar that is being compiled is waited for


if __name__ == "__main__":
    main()
