"""A house behind HTTP."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Literal

from edge_agent.cli.house import House, names_of
from edge_agent.config import Settings
from edge_agent.engine.client import EngineClient, State
from edge_agent.server.app import create_app
from edge_agent.server.serve import serve
from edge_agent.server.services import Defaults, EngineHealth, ServedModel, Services

HEALTH: dict[State, Literal["ok", "loading", "restarting", "failed"]] = {
    "ready": "ok",
    "loading": "loading",
    "restarting": "restarting",
    "failed": "failed",
    "closed": "failed",
}


async def serve_house(
    house: House, settings: Settings, listening: socket.socket, say: Callable[[str], None]
) -> None:
    """Serve until a signal ends it."""
    app = create_app(services_of(house, settings))
    await serve(
        app, listening=listening, on_ready=lambda url: say(f"{house.chat.name} answers at {url}")
    )


def services_of(house: House, settings: Settings) -> Services:
    """What the routes stand on."""
    served = ServedModel(
        name=house.chat.name,
        aliases=names_of(settings, house.model, house.path),
        size=house.path.stat().st_size,
        n_ctx=house.chat.n_ctx,
    )
    return Services(
        chat=house.chat,
        agent=house.agent,
        models=[served],
        health=lambda: health_of(house.engine),
        api_keys=settings.api_key,
        defaults=Defaults(house.sampling, settings.n_predict if settings.n_predict > 0 else None),
    )


def health_of(engine: EngineClient) -> EngineHealth:
    """The engine's status in the words of /health."""
    status = engine.status
    return EngineHealth(HEALTH[status.state], status.detail, status.restarts)
