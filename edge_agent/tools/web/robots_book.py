"""The robots.txt of each site, read once a day and shared by all who ask at the same time."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from edge_agent.errors import FetchError
from edge_agent.tools.web.robots import Rules, parse
from edge_agent.tools.web.target import Target

GOOD_S = 86_400.0  # RFC 9309, 2.4: not used longer than a day
FAILED_S = 600.0
MAX_SITES = 2_000
_TOO_MANY = 429

Reader: TypeAlias = Callable[[str], Awaitable[tuple[int, bytes]]]
"""The status and the body at the URL of a robots.txt; raises FetchError when nothing answers."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking a site: its rules, or why there are none, which forbids everything."""

    rules: Rules
    failure: FetchError | None
    until: float  # on the monotonic clock


class RobotsBook:
    """Asks a site's robots.txt before its first page."""

    def __init__(self, read: Reader) -> None:
        self._read = read
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Answer]] = {}

    async def require(self, target: Target) -> None:
        """Raises FetchError when the site does not let robots read this."""
        answer = await self._answer(target.origin)
        if answer.failure is not None:
            raise _unread(target, answer.failure)
        if not answer.rules.allows(target.path):
            message = (
                f"{target.url} is not for robots: {target.origin}/robots.txt forbids it. Read "
                "another page, or name the host in robots_off if the site is yours."
            )
            raise FetchError(message, target.url, "refused")

    async def rules(self, target: Target) -> Rules:
        """What the target's site asks of robots. Raises FetchError when that cannot be known."""
        answer = await self._answer(target.origin)
        if answer.failure is not None:
            raise _unread(target, answer.failure)
        return answer.rules

    async def _answer(self, origin: str) -> Answer:
        known = self._answers.get(origin)
        if known is not None and known.until > time.monotonic():
            self._answers.move_to_end(origin)
            return known
        task = self._asking.get(origin)
        if task is None:
            task = self._asking[origin] = asyncio.create_task(self._ask(origin))
            task.add_done_callback(lambda _: self._asking.pop(origin, None))
        return await asyncio.shield(task)  # who gives up leaves it to the others

    async def _ask(self, origin: str) -> Answer:
        answer = await self._asked(origin)
        self._answers[origin] = answer
        while len(self._answers) > MAX_SITES:
            self._answers.popitem(last=False)
        return answer

    async def _asked(self, origin: str) -> Answer:
        now, url = time.monotonic(), f"{origin}/robots.txt"
        try:
            status, data = await self._read(url)
        except FetchError as error:
            return Answer(Rules(), error, now + FAILED_S)
        if 200 <= status < 300:
            return Answer(parse(data.decode("utf-8", "replace")), None, now + GOOD_S)
        if 400 <= status < 500 and status != _TOO_MANY:  # there is none: everything is allowed
            return Answer(Rules(), None, now + GOOD_S)
        failure = FetchError(f"{url} answered {status}.", url, "status")
        return Answer(Rules(), failure, now + FAILED_S)

    async def aclose(self) -> None:
        """Stop asking."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _unread(target: Target, failure: FetchError) -> FetchError:
    """A site that cannot say what it allows allows nothing, and mostly it is simply down."""
    if failure.kind == "status":
        message = (
            f"{target.url} was not fetched, because its site could not say what it lets robots "
            f"read: {failure}"
        )
        return FetchError(message, target.url, "refused")
    return FetchError(str(failure), target.url, failure.kind)
