"""Responses that outlive the requests that asked for them: stored ones, and those under way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Protocol

from edge_agent.agent.runs.supervisor import Supervisor
from edge_agent.errors import Conflict, EdgeAgentError, EngineBusy, RequestError
from edge_agent.store.owner import Owner
from edge_agent.store.responses import UNFINISHED, ResponseRow, ResponseStore

Json = dict[str, Any]
AT_ONCE = 4  # in the background; others wait in the order they came
MOST_QUEUED = 1000
BUSY_RETRY_S = 60.0
log = logging.getLogger(__name__)


class Underway(Protocol):
    """A response that is being made."""

    @property
    def id(self) -> str: ...
    @property
    def holder(self) -> str:
        """Whose it is."""
        ...

    @property
    def response(self) -> Json:
        """The object as it stands."""
        ...

    @property
    def is_over(self) -> bool: ...
    @property
    def told(self) -> Sequence[Json]:
        """The events so far; the sequence number of one is its place."""
        ...

    def take_in(self) -> None:
        """It has to wait for its turn."""
        ...

    def work(self) -> AsyncGenerator[Json, None]:
        """Its further events, to the last; it is kept before that one."""
        ...

    async def fail(self, error: Exception) -> Sequence[Json]:
        """End it by an error, and keep that."""
        ...

    async def cancel(self) -> Sequence[Json]:
        """End it by somebody's word, and keep that."""
        ...

    @property
    def is_kept(self) -> bool:
        """Whether what it came to is on the disk."""
        ...

    def row(self) -> ResponseRow:
        """What is to be kept of it now."""
        ...


class Live:
    """A response under way in the background, and who listens to it."""

    def __init__(self, making: Underway) -> None:
        self.making = making
        self._ended = False
        self._news = asyncio.Event()

    def tell(self) -> None:
        """There is something new."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    def end(self) -> None:
        """Nothing comes any more."""
        self._ended = True
        self.tell()

    async def events(self, after: int) -> AsyncGenerator[Json, None]:
        """What was told past event `after`, and what is told until the end."""
        place = after + 1
        while True:
            news, told = self._news, self.making.told
            if place < len(told):
                yield told[place]
                place += 1
            elif self._ended:
                return
            else:
                await news.wait()


class Desk:
    """Keeps responses and works on those in the background, a few at once as `supervisor` has it.

    All methods raise NotFound for an unknown response, and StoreError when the disk fails.
    """

    def __init__(self, store: ResponseStore, supervisor: Supervisor | None = None) -> None:
        self.store = store
        self._owner = Owner(store.path.parent / "owners")
        self._live: dict[str, Live] = {}
        self._supervisor = supervisor or Supervisor(AT_ONCE)

    @property
    def owner(self) -> str:
        """Who works on what is under way here."""
        return self._owner.id

    def submit(self, making: Underway) -> None:
        """Begin a response that goes on when nobody waits for it. Raises EngineBusy."""
        if self._supervisor.n_queued(making.holder) >= MOST_QUEUED:
            raise EngineBusy(f"{MOST_QUEUED} responses are waiting: come again.", BUSY_RETRY_S)
        making.take_in()
        self.store.put(making.row())
        live = self._live[making.id] = Live(making)
        self._supervisor.add(making.id, lambda: self._perform(live), making.holder)

    async def _perform(self, live: Live) -> None:
        """From the queue to the end. Whoever cancels it says what becomes of it."""
        try:
            async with aclosing(live.making.work()) as events:
                async for _ in events:
                    live.tell()
        except Exception as error:  # whatever it was, it ends the response and nothing else
            defect = not isinstance(error, EdgeAgentError)
            log.error("response %s failed: %s", live.making.id, error, exc_info=defect)
            await live.making.fail(error)
        self._end(live)

    def response(self, response_id: str) -> Json:
        """The object, of one under way as far as it has come."""
        live = self._live.get(response_id)
        return live.making.response if live else self.store.get(response_id).response

    def row(self, response_id: str) -> ResponseRow:
        """What is kept of a response."""
        return self.store.get(response_id)

    async def events(self, response_id: str, after: int = -1) -> AsyncGenerator[Json, None]:
        """What a streamed response of the background told past event `after`, and tells."""
        live = self._live.get(response_id)
        if live is not None:
            async for event in live.events(after):
                yield event
            return
        for event in (self.store.get(response_id).events or ())[after + 1 :]:
            yield event

    def check_streams(self, response_id: str) -> None:
        """Raises RequestError unless the events of this response can be had."""
        row = self.store.get(response_id)
        if not (row.body.get("stream") and row.body.get("background")):
            raise RequestError(
                f"{response_id} cannot be streamed: only what was created with background: true "
                "and stream: true can.",
                "stream",
            )

    async def cancel(self, response_id: str) -> Json:
        """End a response in the background; one that has ended stays as it is."""
        live = self._live.get(response_id)
        if live is None:
            return self._settled(self.store.get(response_id))
        await self._stop(live)
        if not live.making.is_over:
            await live.making.cancel()
        self._end(live)
        return live.making.response

    def _settled(self, row: ResponseRow) -> Json:
        if not row.response["background"]:
            raise RequestError(
                f"{row.id} cannot be cancelled: it was not created with background: true."
            )
        if row.status in UNFINISHED:
            raise Conflict(f"Another process works on the response {row.id}: ask that one.")
        return row.response

    async def delete(self, response_id: str) -> None:
        """Forget a response; one under way is ended first."""
        live = self._live.get(response_id)
        if live is not None:
            await self._stop(live)
            live.end()
            self._live.pop(response_id, None)
        self.store.delete(response_id)

    def _end(self, live: Live) -> None:
        """It is over; what the disk did not take stays here."""
        live.end()
        if live.making.is_kept:
            self._live.pop(live.making.id, None)

    async def _stop(self, live: Live) -> None:
        name = live.making.id
        if not self._supervisor.drop(name):
            await self._supervisor.cancel(name)

    def cut_off(self) -> list[ResponseRow]:
        """Unfinished responses of dead owners, oldest first, which are this one's from now on."""
        self._owner.sweep()
        rows = [r for r in self.store.unfinished() if not self._owner.is_alive(r.owner)]
        return [row for row in rows if self.store.adopt(row.id, row.owner, self._owner.id)]

    async def close(self) -> None:
        """Stop working; what is under way stays as it is, for the next `cut_off`."""
        await self._supervisor.close()
        for live in self._live.values():
            live.end()
        self._owner.close()
