"""A desk over a real file, and the official client of a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from edge_agent.server.app import create_app
from edge_agent.server.responses.desk import Desk
from edge_agent.server.serve import serve
from edge_agent.server.services import Services
from edge_agent.store.responses import ResponseStore, open_responses
from tests.patience import HANG_S
from tests.server.conftest import Serving
from tests.server.fakes import FakeAgent, FakeChat

Client = Callable[..., openai.OpenAI]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResponseStore]:
    kept = open_responses(tmp_path / "responses.sqlite")
    yield kept
    kept.close()


@pytest.fixture
def desk(store: ResponseStore) -> Desk:
    return Desk(store)


def client_of(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0, timeout=HANG_S)


@pytest.fixture
def client(serving: Serving, desk: Desk) -> Client:
    """The client of a server over this chat, which keeps its responses at `desk`."""

    def made(chat: FakeChat | None = None, agent: FakeAgent | None = None, **more: Any) -> Any:
        more.setdefault("responses", desk)
        services = Services(chat or FakeChat(), agent or FakeAgent(), **more)
        return client_of(serving(services))

    return made


@asynccontextmanager
async def served(services: Services) -> AsyncIterator[openai.AsyncOpenAI]:
    """A client of a server that runs in this loop until the block ends."""
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    app = create_app(services)
    serving = serve(app, port=0, on_ready=ready.set_result, stop=stop, log_level="critical")
    server = asyncio.create_task(serving)
    try:
        url = f"{await asyncio.wait_for(ready, HANG_S)}/v1"
        async with openai.AsyncOpenAI(base_url=url, api_key="unused", max_retries=0) as client:
            yield client
    finally:
        stop.set()
        await server
