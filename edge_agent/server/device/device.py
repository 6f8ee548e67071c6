"""What the routes know of the device: the facts of what is loaded, and the engine's own account."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from edge_agent.engine.counts import Counts, Running
from edge_agent.errors import NotSupported


@dataclass(frozen=True, slots=True)
class Facts:
    """What does not change while the server runs.

    model_path: the file, or "" where it is elsewhere. n_slots: requests side by side.
    """

    model_path: str = ""
    n_slots: int = 1
    speculates: bool = False


class Device(Protocol):
    """The engine as seen by those who watch it."""

    @property
    def facts(self) -> Facts: ...

    @property
    def is_sleeping(self) -> bool:
        """Whether the model was unloaded because nobody asked anything."""
        ...

    def use(self) -> AbstractContextManager[None]:
        """Begin to load a model that sleeps, and keep it from sleeping while the block runs; waits
        for nothing."""
        ...

    async def counts(self) -> Counts:
        """What was computed so far; of a sleeping engine, when it went to sleep. Does not wake it.

        Raises NotSupported where there is no engine here.
        """
        ...

    async def running(self) -> tuple[Running, ...]:
        """The generations under way; none while it sleeps, and it is not woken."""
        ...


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A model on another server: nothing of it can be seen from here, and it does not sleep."""

    facts: Facts = Facts()
    is_sleeping: bool = False

    def use(self) -> AbstractContextManager[None]:
        """It is awake."""
        return nullcontext()

    async def counts(self) -> Counts:
        raise NotSupported("The model is not on this device: ask its own server for its metrics.")

    async def running(self) -> tuple[Running, ...]:
        raise NotSupported("The model is not on this device: ask its own server for its slots.")
