"""From a run's journal to where the run stands: a fold over its events, in their order.

Kinds that only the fold reads (the rest of the journal is what clients are told):
`given`       what a run begins with: facts and hits of the one it follows
`turn`        what the model wrote, before the calls in it are made
`spent`       what several attempts have spent so far
`tool_begun`  a tool is about to be called; `tool_done`: what it returned, or its error
`step`        a step is over: its record, its new facts, and what has been spent
`ending`      exploring is over
`left`        the service ended and left the run to the next
`resumed`     the run was cut off, or left, and goes on
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from edge_agent.agent.explore.turn import FETCH
from edge_agent.agent.records import RunUsage, Step, ToolCalled
from edge_agent.agent.runs.codec import PAGE, TAG, ResultCodec, decode
from edge_agent.agent.state import KeptFact, PendingTurn, RunState
from edge_agent.errors import NotFound
from edge_agent.store.runs import EventRow
from edge_agent.tools.base import Page, SearchHit

Payload = Mapping[str, Any]
UNKNOWN_DATE = "1970-01-01T00:00:00+00:00"


@dataclass(slots=True)
class Calls:
    """What was called since the last recorded step; `made` are `tool_done`s that may be reused.

    calls: those of the turn. Once one is being made, others that come are none of the model's: they
    follow from what was read, and will again.
    """

    turn: Payload | None = None
    calls: list[Payload] = field(default_factory=list)
    is_acting: bool = False
    made: list[Payload] = field(default_factory=list)


class Replay:
    """A machine to feed with events. Kinds it does not know change nothing."""

    def __init__(self, events: Iterable[EventRow] = ()) -> None:
        self.seq = 0  # of the last event
        self.cuts = 0  # how often the run was cut off in the step after its last recorded one
        self.open = Calls()
        self.read: dict[str, str] = {}  # addresses, and the ids of the pages that were there
        self._steps: list[Payload] = []
        self._facts: list[Payload] = []
        self._marked: list[int] = []
        self._hits: list[Payload] = []
        self._queries: list[str] = []
        self._urls: list[str] = []
        self._usage: Payload = {}
        self._ending: Payload | None = None
        self._is_in_step = False
        for event in events:
            self.feed(event)

    def feed(self, event: EventRow) -> None:
        """Take the next event of the journal."""
        self.seq = event.seq
        take = FEEDS.get(event.kind)
        if take is not None:
            take(self, event.payload)

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(decode(Step, step) for step in self._steps)

    @property
    def usage(self) -> RunUsage:
        return decode(RunUsage, self._usage)

    def state(self, codec: ResultCodec) -> RunState:
        """Where the run stands, its pages out of the store. Raises StoreError."""
        ending = self._ending or {}
        return RunState(
            steps=self.steps,
            facts=_Pages(codec).facts(self._facts),
            marked=tuple(self._marked),
            hits=tuple(decode(SearchHit, hit) for hit in self._hits),
            queries=tuple(self._queries),
            urls=tuple(self._urls),
            usage=self.usage,
            pending=self._pending(),
            reason=ending.get("reason"),
            answer=ending.get("answer", ""),
        )

    def legacy(self) -> dict[str, Any]:
        """What a run that follows this one is given."""
        return {"facts": list(self._facts), "hits": list(self._hits)}

    def _pending(self) -> PendingTurn | None:
        if not self.open.calls or self._ending is not None:
            return None
        turn = self.open.turn or {}
        calls = tuple(decode(ToolCalled, call) for call in self.open.calls)
        return PendingTurn(turn.get("thought", ""), turn.get("text", ""), calls)

    def _given(self, given: Payload) -> None:
        self._facts += given["facts"]
        self._hits += given["hits"]

    def _begin(self, step: Payload) -> None:
        self._is_in_step = True

    def _leave(self, left: Payload) -> None:
        self._is_in_step = False  # it is not to blame

    def _turn(self, turn: Payload) -> None:
        self.open.turn, self.open.calls, self.open.is_acting = turn, [], False
        self._spent(turn)

    def _call(self, call: Payload) -> None:
        if not self.open.is_acting:
            self.open.calls.append(call)

    def _act(self, begun: Payload) -> None:
        self.open.is_acting = True

    def _made(self, made: Payload) -> None:
        self.open.made.append(made)
        if made["tool"] == FETCH:
            self.read.update(_pages_of(made))

    def _step(self, step: Payload) -> None:
        self._steps.append(step["step"])
        self._facts += step["facts"]
        self._spent(step)
        for made in self.open.made:
            self._remember(made)
        self.open, self.cuts, self._is_in_step = Calls(), 0, False

    def _spent(self, record: Payload) -> None:
        self._marked, self._usage = record["marked"], record["usage"]

    def _remember(self, made: Payload) -> None:
        """What the duplicate guard and the list of results know of a call that was answered."""
        if "error" in made:
            return
        arguments, results = made["arguments"], _results(made["result"])
        silent = {result["query"] for result in results if not result["engine"]}
        self._queries += [q for q in _texts(arguments.get("query")) if q not in silent]
        self._urls += _texts(arguments.get("url"))
        for result in results:
            self._hits += result["hits"]

    def _end(self, ending: Payload) -> None:
        self._ending = ending

    def _resumed(self, resumed: Payload) -> None:
        if resumed["automatic"]:
            self.cuts += self._is_in_step
            self._is_in_step = False
            return
        self.cuts = 0
        if self._ending and self._ending["reason"] in ("tool_failed", "env_error"):
            self._ending = None  # the world may answer this time


FEEDS = {
    "given": Replay._given,
    "step_started": Replay._begin,
    "turn": Replay._turn,
    "spent": Replay._spent,
    "tool_call": Replay._call,
    "tool_begun": Replay._act,
    "tool_result": Replay._act,
    "tool_done": Replay._made,
    "step": Replay._step,
    "ending": Replay._end,
    "left": Replay._leave,
    "resumed": Replay._resumed,
}


class _Pages:
    """Facts as they were, each page read from the store once."""

    def __init__(self, codec: ResultCodec) -> None:
        self._codec = codec
        self._pages: dict[str, Page] = {}

    def facts(self, facts: Iterable[Payload]) -> tuple[KeptFact, ...]:
        return tuple(
            KeptFact(f["number"], self._page(f), f["position"], f["text"], f["context"])
            for f in facts
        )

    def _page(self, fact: Payload) -> Page:
        page_id = fact["page"]
        if page_id not in self._pages:
            try:
                self._pages[page_id] = self._codec.page(page_id)
            except NotFound:  # the fact is still a literal piece of what stood there
                source, url, title = fact["source"], fact["url"], fact["title"]
                return Page(url, title, fact["text"], "text/plain", source, UNKNOWN_DATE)
        return self._pages[page_id]


def key_of(tool: str, arguments: Any) -> str:
    """What makes two calls the same."""
    return json.dumps([tool, arguments], sort_keys=True, default=str)


def _results(result: Any) -> list[Payload]:
    """What a search returned; nothing of any other tool's."""
    found = result if isinstance(result, list) else []
    return [each for each in found if isinstance(each, dict) and "hits" in each]


def _pages_of(made: Payload) -> dict[str, str]:
    """By the addresses that were asked for."""
    urls, read = _texts(made["arguments"].get("url")), made.get("result") or ()
    return {url: each["id"] for url, each in zip(urls, read, strict=False) if each[TAG] == PAGE}


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(each) for each in value or ()]
