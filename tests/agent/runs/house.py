"""Services over one journal, and how to wait for what they do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_agent.agent.explore.profile import PROFILES
from edge_agent.agent.records import Run, Task
from edge_agent.agent.runs.service import AgentService
from edge_agent.agent.runs.supervisor import Supervisor
from edge_agent.chat.messages import Chat
from edge_agent.errors import (
    NotFound,
)
from edge_agent.store.journal import open_journal
from edge_agent.store.runs import RunStore
from tests.patience import until

from ..fakes import HARBOUR, FakeChat, World, search

# one search and no more before the model is asked
PLAIN = replace(PROFILES["plain"], reads=3, follows=0)
QUESTION = Task("Who built the smack that carried the bell?")
SLOW = replace(search("bell"), wait_s=60)


class House:
    """Services over one journal, as processes would be; all are closed at the end."""

    def __init__(self, folder: Path) -> None:
        self.journal = open_journal(folder / "journal.sqlite")
        self.store = RunStore(self.journal)
        self.world = World(HARBOUR)
        self._services: list[AgentService] = []

    def service(
        self, chat: Chat | None = None, store: RunStore | None = None, at_once: int = 2
    ) -> AgentService:
        def tools_for(library: str | None) -> Any:
            if library not in (None, "harbour"):
                raise NotFound(f"There is no library {library!r}.")
            return self.world.tools()

        chat = chat or FakeChat([search("Thrift builder")], ["Ane Pollock"])
        made = AgentService(
            chat,
            PLAIN,
            tools_for,
            store or self.store,
            None,
            supervisor=Supervisor(at_once),
            rollouts_at_once=2,
        )
        self._services.append(made)
        return made

    async def close(self) -> None:
        for service in self._services:
            await service.close()
        self.journal.close()


async def ended(service: AgentService, run_id: str) -> Run:
    """The run, when it has come to its end."""
    async for _ in service.book.events(run_id):
        pass
    return service.book.run(run_id)


def steps_of(service: AgentService, run_id: str) -> int:
    return len(service.book.run(run_id).steps)


@asynccontextmanager
async def cut_off(house: House, task: Task = QUESTION) -> AsyncIterator[str]:
    """The id of a run that was left after its first step by a service that is closed now."""
    service = house.service(FakeChat([SLOW]))
    run_id = service.submit(task).id
    await until(lambda: steps_of(service, run_id) == 1)
    await service.close()
    yield run_id
