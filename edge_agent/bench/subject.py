"""What a suite measures: something that continues prompts, by ids or through HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from edge_agent.bench.stream import Stream
from edge_agent.engine.params import LoadSpec

# Only the subject that made it knows what is in it: token ids for an engine, messages for a server.
Prompt: TypeAlias = tuple[Any, ...]
Kind = Literal["engine", "server", "peer"]


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. Greedy unless a temperature is given, and not ended by the model itself
    where no schema ends it.

    speculate: None leaves it to what is measured. pin: tokens to keep on disk.
    """

    prompt: Prompt
    n_tokens: int
    n: int = 1
    schema: Mapping[str, Any] | None = None
    temperature: float = 0.0
    seed: int = 0
    speculate: bool | None = False
    accept_pruned: bool = False
    pin: int = 0


class Subject(Protocol):
    """Every method raises Lacking where it cannot."""

    def new(self, n_tokens: int) -> Prompt:
        """A prompt of which so many tokens are to be computed (its template's counted): no cache
        holds them."""
        ...

    def text(self, text: str) -> Prompt:
        """A prompt of a text."""
        ...

    def longer(self, prompt: Prompt, n_tokens: int) -> Prompt:
        """The prompt with new tokens at its end."""
        ...

    def after(self, prompt: Prompt, written: Stream, n_tokens: int) -> Prompt:
        """The conversation so far, and an observation of so many new tokens."""
        ...

    def follow(self, ask: Ask, stream: Stream) -> AsyncGenerator[Stream, None]:
        """Send it; yields `stream` whenever something was added to it. Closing it cancels."""
        ...

    async def computing_s(self) -> float:
        """Seconds that were spent inside llama.cpp since the start."""
        ...

    async def idle(self) -> None:
        """Wait until nothing runs."""
        ...

    def pids(self) -> list[int]:
        """The processes that it is made of."""
        ...


class Contender(Protocol):
    """Something that can be started and measured."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> Kind: ...

    def open(self, spec: LoadSpec) -> AbstractAsyncContextManager[Subject]:
        """Start it as `spec` says, warmed up. Raises Lacking or any engine error."""
        ...
