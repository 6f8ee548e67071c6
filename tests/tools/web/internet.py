"""An internet inside one machine: public addresses that lead to real servers on loopback."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import httpcore

PUBLIC = "93.184.216.34"
OTHER = "151.101.1.140"
PUBLIC6 = "2606:2800:220:1:248:1893:25c8:1946"


class Internet(httpcore.AsyncNetworkBackend):
    """Opens sockets: to a public address it leads to that address's server, to any other address
    really. What was asked for is in `dialled`."""

    def __init__(self, servers: Mapping[str, int]) -> None:
        self._servers = servers  # public address -> port on loopback
        self._real = httpcore.AnyIOBackend()
        self.dialled: list[tuple[str, int]] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.dialled.append((host, port))
        if host in self._servers:
            return await self._real.connect_tcp("127.0.0.1", self._servers[host], timeout)
        return await self._real.connect_tcp(host, port, timeout)


class Names:
    """A resolver with answers by name: the same each time, or a list of them in turn."""

    def __init__(self, **answers: str | list[str]) -> None:
        self._answers = {name.replace("_", "."): answer for name, answer in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        answer = self._answers.get(host)
        if answer is None:
            raise OSError("unknown name")
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        return answer.split()
