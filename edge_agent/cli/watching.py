"""The engine as the routes watch it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from edge_agent.engine.client import EngineClient
from edge_agent.engine.counts import Counts, Running
from edge_agent.engine.params import ModelInfo
from edge_agent.server.device.device import Facts


class LocalDevice:
    """Implements `device.Device` over the engine process here."""

    def __init__(self, engine: EngineClient, path: Path) -> None:
        self._engine = engine
        self._path = path

    @property
    def facts(self) -> Facts:
        spec = self._engine.spec
        return Facts(str(self._path), spec.n_parallel, spec.speculate)

    @property
    def is_sleeping(self) -> bool:
        """See `Device`."""
        return self._engine.status.state == "sleeping"

    def use(self) -> AbstractContextManager[None]:
        """See `Device`."""
        return self._engine.use()

    async def counts(self) -> Counts:
        """See `Device`."""
        return await self._engine.counts()

    async def running(self) -> tuple[Running, ...]:
        """See `Device`."""
        return await self._engine.running()


def meta_of(info: ModelInfo) -> Mapping[str, int | None]:
    """What /v1/models says of a model's size, in llama-server's words."""
    return {
        "n_ctx_train": info.n_ctx_train,
        "n_vocab": info.n_vocab,
        "n_params": info.n_params,
    }
