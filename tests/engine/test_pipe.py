from __future__ import annotations

import socket
import threading

from edge_agent.engine.params import GenerateParams
from edge_agent.engine.pipe import Submit, frame, read_blocking
from edge_agent.errors import ContextOverflow


def test_a_message_larger_than_the_pipes_buffer_arrives_whole() -> None:
    ours, theirs = socket.socketpair()
    message = Submit(7, tuple(range(300_000)), GenerateParams(max_tokens=3))
    sender = threading.Thread(target=theirs.sendall, args=(frame(message),))
    sender.start()
    with ours, theirs:
        assert read_blocking(ours) == message
    sender.join(10)


def test_a_closed_pipe_reads_as_none_even_inside_a_message() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        theirs.sendall(frame("x" * 100)[:50])
        theirs.close()
        assert read_blocking(ours) is None


def test_a_pipe_closed_with_something_unread_reads_as_none() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        ours.sendall(frame("nobody reads this"))
        theirs.close()
        assert read_blocking(ours) is None


def test_an_error_crosses_the_pipe_with_its_numbers() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(frame(ContextOverflow(900, 512)))
        error = read_blocking(ours)
    assert (error.n_prompt_tokens, error.n_ctx) == (900, 512)
    assert "900" in str(error)
