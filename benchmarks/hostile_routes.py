"""A thousand fetches at once of what a hostile server does: how long each takes, and the memory.

    python -m benchmarks.hostile_routes http://127.0.0.1:8099 [--fetches 1000]

The server, a process of its own, has these routes: /slow?s=N answers after N seconds, with drip=1 a
byte now and then; /huge?mb=N; /loop redirects for ever; /redirect?to=URL; /status/503; /binary; and
/private/ is forbidden by its robots.txt. Limits are the client's own. A fetch hangs when it takes
longer than the limit of a whole fetch.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass

import psutil

from edge_agent.errors import FetchError
from edge_agent.tools.browse.web_pages import WebPages
from edge_agent.tools.web.client import WebClient
from edge_agent.tools.web.limits import WebLimits

MIB = 2**20
GRACE_S = 2.0  # for a machine that computes something else
ROUTES = {
    "answers after 5 s": "/slow?s=5",
    "answers after 120 s": "/slow?s=120",
    "a byte every 0.2 s": "/slow?s=120&drip=1",
    "8 MB": "/huge?mb=8",
    "40 MB": "/huge?mb=40",
    "redirects for ever": "/loop",
    "redirects inside": "/redirect?to=http://169.254.169.254/latest/meta-data/",
    "binary": "/binary",
    "503": "/status/503",
    "forbidden by robots.txt": "/private/x",
    "no such page": "/nothing",
}


@dataclass(frozen=True, slots=True)
class Fetched:
    route: str
    outcome: str
    seconds: float


class Memory:
    """The most that this process held, looked at every 20 ms, while the block runs."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.before = self.most = self._process.memory_info().rss

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self.most = max(self.most, self._process.memory_info().rss)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def now(self) -> int:
        rss: int = self._process.memory_info().rss
        return rss


async def fetched(pages: WebPages, base: str, route: str) -> Fetched:
    began = time.monotonic()
    try:
        await pages.fetch(base + ROUTES[route])
        outcome = "read"
    except FetchError as error:
        outcome = error.kind
    return Fetched(route, outcome, time.monotonic() - began)


async def measured(base: str, count: int, limits: WebLimits) -> list[Fetched]:
    host = base.partition("://")[2]
    async with WebClient([host], limits) as web:
        pages = WebPages(web)
        routes = itertools.islice(itertools.cycle(ROUTES), count)
        return await asyncio.gather(*(fetched(pages, base, route) for route in routes))


def table(results: list[Fetched]) -> None:
    by_route: defaultdict[str, list[Fetched]] = defaultdict(list)
    for result in results:
        by_route[result.route].append(result)
    print("| route | fetches | outcomes | median s | most s |")
    print("|---|---|---|---|---|")
    for route, own in by_route.items():
        times = sorted(one.seconds for one in own)
        kinds = Counter(one.outcome for one in own).most_common()
        told = ", ".join(f"{count} {kind}" for kind, count in kinds)
        middle = times[len(times) // 2]
        print(f"| {route} | {len(own)} | {told} | {middle:.1f} | {times[-1]:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("url")
    parser.add_argument("--fetches", type=int, default=1_000)
    asked = parser.parse_args()
    limits, began = WebLimits(), time.monotonic()
    with Memory() as memory:
        results = asyncio.run(measured(asked.url.rstrip("/"), asked.fetches, limits))
    table(results)
    late = [one for one in results if one.seconds > limits.total_s + GRACE_S]
    print(
        f"\n{len(results)} fetches in {time.monotonic() - began:.0f} s; {len(late)} took longer "
        f"than {limits.total_s:g} s; memory {memory.before / MIB:.0f} MiB before, at most "
        f"{memory.most / MIB:.0f}, {memory.now() / MIB:.0f} after."
    )


if __name__ == "__main__":
    main()
