"""A response on its way: the events of a chat become its events, and at the end it is kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from types import MappingProxyType
from typing import Any

from edge_agent.chat.fold import unended
from edge_agent.chat.messages import Done, Event, Prompt
from edge_agent.errors import EngineBusy, RequestError, StoreError
from edge_agent.server.errors import error_body
from edge_agent.server.responses.asked import Asked, prompt_of
from edge_agent.server.responses.machine import Machine, Telling
from edge_agent.server.responses.record import base_of
from edge_agent.server.responses.schemas import ResponseBody
from edge_agent.store.responses import ResponseRow

Json = dict[str, Any]
Keep = Callable[[ResponseRow], None]
Ready = tuple[Prompt, str]  # a prompt, and the hash of what it begins with
log = logging.getLogger(__name__)
CODES: Mapping[type[Exception], str] = MappingProxyType(
    {EngineBusy: "rate_limit_exceeded", RequestError: "invalid_prompt"}
)
GRACE_S = 0.05  # in which a refusal of the engine still becomes a status, and not a broken stream


class Making:
    """One response, in whose hands its machine is. Implements `desk.Underway`.

    keep: where it is stored at its end; None stores nothing. ready: its prompt, where that was made
    before. owner, holder: see `ResponseRow`. tape: whether all that is told is kept, in order.
    """

    def __init__(
        self,
        body: ResponseBody,
        asked: Asked,
        keep: Keep | None,
        ready: Ready | None = None,
        owner: str = "",
        tape: bool = False,
        holder: str = "",
    ) -> None:
        self._body = body
        self._asked = asked
        self._keep = keep
        self._ready = ready
        self.holder = holder
        self._owner = owner
        self._tape: list[Json] | None = [] if tape else None
        self.is_kept = False  # as it ended
        base = base_of(body, asked.request, asked.chat.name, asked.created_at, keep is not None)
        self._machine = Machine(base, _telling(body, asked))

    @property
    def id(self) -> str:
        """The id of the response."""
        return self._asked.id

    @property
    def response(self) -> Json:
        """The object as it stands."""
        return self._machine.response

    @property
    def is_over(self) -> bool:
        """Whether it has come to an end."""
        return self._machine.is_over

    @property
    def streams(self) -> bool:
        """Whether its events were asked for."""
        return bool(self._body.stream)

    @property
    def n_told(self) -> int:
        """How many events were told."""
        return self._machine.n_told

    @property
    def told(self) -> Sequence[Json]:
        """The events so far, where there is a tape."""
        return self._tape or ()

    async def work(self) -> AsyncGenerator[Json, None]:
        """Its events, to the last.

        Raises what `Chat.prepare` and `Chat.stream` do; what they raise at once comes before the
        first event.
        """
        ready = self._ready
        prompt, head = ready if ready else await asyncio.to_thread(prompt_of, self._asked)
        stream = self._asked.chat.stream(prompt)
        async with aclosing(stream):
            first = asyncio.ensure_future(_next(stream))
            try:
                await asyncio.wait({first}, timeout=GRACE_S)
                if first.done():
                    first.result()
                for told in self._begun():
                    yield told
                event: Event | None = await first
            finally:
                await _abandoned(first)
            while event is not None:
                for told in await self._fed(event, prompt, head):
                    yield told
                event = None if isinstance(event, Done) else await _next(stream)

    def _begun(self) -> list[Json]:
        taken_in = [] if self._machine.has_begun else self._machine.begin()
        return self._taped([*taken_in, *self._machine.start()])

    async def _fed(self, event: Event, prompt: Prompt, head: str) -> list[Json]:
        """What an event is; the response is kept before its end is told."""
        told = self._taped(self._machine.feed(event))
        if isinstance(event, Done):
            # the tokens of an answer that was cut short may end anywhere, in a thought too
            whole = event.reason != "length"
            row = self.row(head, prompt.ids, event.ids) if whole else self.row()
            await self._ended(told, row)
        return told

    async def _ended(self, told: list[Json], row: ResponseRow) -> None:
        """Keep what it came to; where the disk does not take that, the end says so."""
        if self._keep is None:
            return
        try:
            await asyncio.to_thread(self._keep, row)
            self.is_kept = True
        except StoreError as error:
            log.error("response %s is answered and not kept: %s", self.id, error)
            self._machine.unstored()
            told[-1]["response"] = self.response

    async def fail(self, error: Exception) -> Sequence[Json]:
        """The events of its end by an error."""
        code = next((c for kind, c in CODES.items() if isinstance(error, kind)), "server_error")
        told = self._taped(self._machine.fail(code, error_body(error)["error"]["message"]))
        await self._ended(told, self.row())
        return told

    async def cancel(self) -> Sequence[Json]:
        """The events of its end by somebody's word."""
        told = self._taped(self._machine.cancel())
        await self._ended(told, self.row())
        return told

    def take_in(self) -> None:
        """It has to wait for its turn."""
        self._taped(self._machine.begin(queued=True))

    def row(
        self, head: str = "", prompt_ids: tuple[int, ...] = (), ids: tuple[int, ...] = ()
    ) -> ResponseRow:
        """What is to be kept of it now."""
        response = self.response
        return ResponseRow(
            id=self.id,
            created_at=self._asked.created_at,
            status=response["status"],
            body=self._body.model_dump(by_alias=True, exclude_unset=True) if self._tape else {},
            response=response,
            context=self._asked.context,
            owner=self._owner,
            head=head,
            prompt_ids=prompt_ids,
            completion_ids=ids,
            events=tuple(self.told) if self._tape and self._body.stream else None,
            holder=self.holder,
        )

    def _taped(self, told: list[Json]) -> list[Json]:
        if self._tape is not None:
            self._tape += told
        return told


async def _next(stream: AsyncGenerator[Event, None]) -> Event:
    event = await anext(stream, None)
    if event is None:
        raise unended()
    return event


async def _abandoned(first: asyncio.Future[Event]) -> None:
    """Nobody waits for it any more, unless it is there."""
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)


def _telling(body: ResponseBody, asked: Asked) -> Telling:
    extra, reasoning = body.model_extra or {}, body.reasoning
    return Telling(
        as_summary=bool(reasoning and (reasoning.summary or reasoning.generate_summary)),
        logprobs=asked.request.n_logprobs is not None,
        progress=bool(extra.get("return_progress")),
        timings=bool(extra.get("timings_per_token")),
    )
