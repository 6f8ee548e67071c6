"""What every command does with its terminal: stdout for results, stderr for everything else."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import typer
from rich.console import Console

from edge_agent.config import Settings, load_settings
from edge_agent.errors import EdgeAgentError

T = TypeVar("T")
INTERRUPTED = 130  # 128 + SIGINT, as shells count it


def settings_of(**flags: Any) -> Settings:
    """The settings with the flags that were given; a wrong one ends the command."""
    return guarded(lambda: load_settings(**flags))


def run_async(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """`guarded`, for work that needs an event loop."""
    return guarded(lambda: asyncio.run(work()))


def guarded(work: Callable[[], T]) -> T:
    """Our errors end the command with one sentence on stderr and exit status 1."""
    try:
        return work()
    except EdgeAgentError as error:
        say(f"edge-agent: {error}")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def say(line: str) -> None:
    """One line for the person at the terminal."""
    print(line, file=sys.stderr, flush=True)


def stderr() -> Console:
    """A console beside the results."""
    return Console(stderr=True)


def print_json(value: Any) -> None:
    """A result for a program: one JSON object on stdout, half surrogate pairs as "?"."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    print(text.encode("utf-8", "replace").decode())
