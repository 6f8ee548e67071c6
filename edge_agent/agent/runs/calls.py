"""Tools that are recorded: when a call begins, and what it returned; none is made twice."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edge_agent.agent.explore.turn import FETCH, SEARCH
from edge_agent.agent.runs.codec import ResultCodec
from edge_agent.agent.runs.journal import RunJournal
from edge_agent.agent.runs.replay import key_of
from edge_agent.errors import NotFound, StoreError, ToolError
from edge_agent.tools.base import Page, Tool

READING = (SEARCH, FETCH)
log = logging.getLogger(__name__)


class CallBook:
    """Writes calls down. `made` are calls of a step that was cut off: each is answered once from
    what it returned then. `read` are pages that the run had read before it was cut off, by their
    addresses: they are read from the store.
    """

    def __init__(
        self,
        journal: RunJournal,
        codec: ResultCodec,
        made: Iterable[Mapping[str, Any]] = (),
        read: Mapping[str, str] | None = None,
    ) -> None:
        self._journal = journal
        self._codec = codec
        self._read = read or {}
        self._made: dict[str, list[Mapping[str, Any]]] = {}
        for each in made:
            self._made.setdefault(key_of(each["tool"], each["arguments"]), []).append(each)

    def recorded(self, tools: Mapping[str, Tool]) -> dict[str, Tool]:
        """The same tools, written down."""
        return {
            name: RecordedTool(t.name, t.description, t.parameters, t.function, t, self)
            for name, t in tools.items()
        }

    def forget(self) -> None:
        """The step that was cut off is over: calls like its own are new ones from now on."""
        self._made.clear()

    async def call(
        self, tool: str, given: Mapping[str, Any], make: Callable[[], Awaitable[Any]]
    ) -> Any:
        """What the call returned before, else what it returns now. Raises ToolError."""
        arguments = json.loads(json.dumps(dict(given), default=str))
        known = self._made.get(key_of(tool, arguments))
        if known:
            try:
                return self._again(known.pop(0))
            except NotFound:
                log.warning("what %s returned is no longer in the store: it is called again", tool)
        return await self._call(tool, arguments, make)

    def _again(self, made: Mapping[str, Any]) -> Any:
        if "error" in made:
            raise ToolError(made["error"])
        return self._codec.from_json(made["result"])

    async def _call(
        self, tool: str, arguments: dict[str, Any], make: Callable[[], Awaitable[Any]]
    ) -> Any:
        record = {"tool": tool, "arguments": arguments}
        # that a page is being read need not be on the disk before: to ask again does no harm
        (self._journal.hold if tool in READING else self._journal.write)("tool_begun", record)
        try:
            result = self._stored(tool, arguments) or await make()
        except ToolError as error:
            self._journal.write("tool_done", {**record, "error": str(error)})
            raise
        try:
            self._journal.write("tool_done", {**record, "result": self._codec.to_json(result)})
        except StoreError as error:  # it may be called again after a crash, and that is all
            log.error("a result of %s could not be recorded: %s", tool, error)
        return result

    def _stored(self, tool: str, arguments: Mapping[str, Any]) -> list[Page]:
        """The pages of a call that asks only for what was read before; [] of any other call."""
        urls = arguments.get("url") if tool == FETCH else None
        if not isinstance(urls, list) or not all(url in self._read for url in urls):
            return []
        try:
            return [self._codec.page(self._read[url]) for url in urls]
        except NotFound:  # a page that is no longer in the store is read again
            return []


@dataclass(frozen=True, slots=True)
class RecordedTool(Tool):
    """A tool whose calls are in a book."""

    inner: Tool
    book: CallBook

    async def call(self, arguments: Mapping[str, Any]) -> Any:
        return await self.book.call(self.name, arguments, lambda: self.inner.call(arguments))
