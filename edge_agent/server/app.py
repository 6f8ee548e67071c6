"""The app: routes, doors and the error table put together."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from edge_agent import __version__
from edge_agent.server import errors, models
from edge_agent.server.completions import chat
from edge_agent.server.door.intake import Intake
from edge_agent.server.door.keys import ApiKeys
from edge_agent.server.research import run, runs
from edge_agent.server.services import Services

ERROR_DOC: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": 'What was wrong: {"error": {"code", "message", "type"}}'}
}


def create_app(services: Services) -> FastAPI:
    """An ASGI app over `services`; it owns nothing and may be made as often as needed."""
    app = FastAPI(
        title="edge-agent",
        version=__version__,
        description="An agent inference server for one device.",
        redoc_url=None,
    )
    app.state.services = services
    for routes in (chat.router, run.router, runs.router, models.router):
        app.include_router(routes, responses=ERROR_DOC)
    errors.install(app)
    app.add_middleware(Intake, max_bytes=services.max_body_bytes)
    app.add_middleware(ApiKeys, keys=services.api_keys)
    return app
