"""An engine on the network, asked with manners: patiently, seldom, and not twice the same."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

from edge_agent.errors import SearchBusy, SearchError
from edge_agent.store.search_cache import Pause, SearchCache
from edge_agent.tools.base import SearchHit, SearchProvider


@dataclass(frozen=True, slots=True)
class Manners:
    """How an engine is asked.

    timeout_s: for one try. tries: of one query, with `wait_s` before the second, twice that before
    the third, each half to one and a half times as long by chance. cool_s: how long an engine that
    says it is asked too often is left alone, when it does not say; twice as long each time it says
    so again, up to `max_cool_s`. keep_s: for how long an answer is given again without asking.
    apart_s: between two queries.
    """

    timeout_s: float = 15.0
    tries: int = 3
    wait_s: float = 0.5
    cool_s: float = 60.0
    max_cool_s: float = 900.0
    keep_s: float = 86_400.0
    apart_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Hits, and how old they are: 0 when the engine was asked just now."""

    hits: tuple[SearchHit, ...]
    age_s: float = 0.0


class Chance:
    """Time and chance, which tests hold still."""

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def between(self, low: float, high: float) -> float:
        return random.uniform(low, high)


class Remote:
    """One engine with its cache and its pauses, which outlive the process.

    address: tells it from another engine of the same name in the cache.
    """

    def __init__(
        self,
        provider: SearchProvider,
        cache: SearchCache,
        manners: Manners | None = None,
        chance: Chance | None = None,
        address: str = "",
    ) -> None:
        self._provider = provider
        self._known_as = f"{provider.name} {address}".strip()
        self._cache = cache
        self._manners = manners or Manners()
        self._chance = chance or Chance()
        self._turn = asyncio.Lock()
        self._last = 0.0

    @property
    def name(self) -> str:
        return self._provider.name

    async def search(self, query: str, limit: int) -> list[SearchHit]:
        """Raises SearchError, and StoreError when the disk fails."""
        return list((await self.ask(query, limit)).hits)

    async def ask(self, query: str, limit: int) -> Answer:
        """The same, saying how old the answer is."""
        kept = self._kept(query, limit)
        if kept is not None:
            return kept
        self._refuse_while_paused()
        hits = await self._patiently(lambda: self._once(query, limit))
        self._keep(query, limit, hits)
        return Answer(tuple(hits))

    def _kept(self, query: str, limit: int) -> Answer | None:
        now = self._chance.now()
        since = now - self._manners.keep_s
        found = self._cache.get(self._known_as, _key(query), limit, since)
        if found is None:
            return None
        hits = tuple(SearchHit(**row) for row in json.loads(found[0]))
        return Answer(hits, max(0.0, now - found[1]))

    def _keep(self, query: str, limit: int, hits: list[SearchHit]) -> None:
        if self._cache.pause_of(self._known_as) is not None:
            self._cache.resume(self._known_as)
        if hits and self._manners.keep_s > 0:  # an engine that found nothing is asked again
            now = self._chance.now()
            text = json.dumps([asdict(hit) for hit in hits], ensure_ascii=False)
            since = now - self._manners.keep_s
            self._cache.put(self._known_as, _key(query), limit, text, now, since)

    def _refuse_while_paused(self) -> None:
        pause = self._cache.pause_of(self._known_as)
        left = pause.until - self._chance.now() if pause else 0.0
        if left > 0:
            raise SearchBusy(
                f"It is left alone for {left:.0f} more seconds, because it was asked too often.",
                left,
            )

    async def _patiently(self, once: Callable[[], Awaitable[list[SearchHit]]]) -> list[SearchHit]:
        for n in range(self._manners.tries):
            try:
                return await once()
            except SearchBusy as busy:
                self._pause(busy)
                raise
            except SearchError as error:
                if not error.transient or n + 1 == self._manners.tries:
                    raise
            wait = self._manners.wait_s * 2**n
            await self._chance.sleep(self._chance.between(0.5 * wait, 1.5 * wait))
        raise AssertionError("the last try returns or raises")

    async def _once(self, query: str, limit: int) -> list[SearchHit]:
        await self._my_turn()
        asking = self._provider.search(query, limit)
        try:
            return await asyncio.wait_for(asking, self._manners.timeout_s)
        except asyncio.TimeoutError:
            told = f"It did not answer within {self._manners.timeout_s:g} seconds."
            raise SearchError(told, transient=True) from None

    async def _my_turn(self) -> None:
        """Wait until the engine may be asked again."""
        if self._manners.apart_s:
            async with self._turn:
                left = self._last + self._manners.apart_s - self._chance.now()
                if left > 0:
                    await self._chance.sleep(left)
                self._last = self._chance.now()

    def _pause(self, busy: SearchBusy) -> None:
        before = self._cache.pause_of(self._known_as)
        doubled = 2 * before.seconds if before else self._manners.cool_s
        told = busy.retry_after_s
        seconds = min(max(doubled, told or 0.0), max(self._manners.max_cool_s, told or 0.0))
        self._cache.pause(self._known_as, Pause(self._chance.now() + seconds, seconds))


def _key(query: str) -> str:
    return " ".join(query.split()).casefold()
