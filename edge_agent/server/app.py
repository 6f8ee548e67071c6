"""The app: routes, doors and the error table put together."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from edge_agent import __version__
from edge_agent.server import errors
from edge_agent.server.completions import chat
from edge_agent.server.device import metrics, models, props, slots
from edge_agent.server.device.waking import Waking
from edge_agent.server.document.openapi import DocumentedApp
from edge_agent.server.door.crowd import Crowd
from edge_agent.server.door.intake import Intake
from edge_agent.server.door.keys import ApiKeys
from edge_agent.server.door.origins import Origins
from edge_agent.server.door.surprises import Surprises
from edge_agent.server.messages import messages
from edge_agent.server.messages.shape import AnthropicErrors
from edge_agent.server.plain import native, text
from edge_agent.server.research import run, runs
from edge_agent.server.responses import responses
from edge_agent.server.services import Services
from edge_agent.server.text import embeddings, rerank, tokens
from edge_agent.server.tools import approvals, tools

ROUTES = (
    *(chat, messages, run, runs, models),
    *(text, native, responses),
    *(tokens, embeddings, rerank),
    *(tools, approvals),
    *(props, slots, metrics),
)
ERROR_DOC: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": 'What was wrong: {"error": {"code", "message", "type"}}'}
}


def create_app(services: Services) -> FastAPI:
    """An ASGI app over `services`; it owns nothing and may be made as often as needed."""
    app = DocumentedApp(
        title="edge-agent",
        version=__version__,
        description="An agent inference server for one device.",
    )
    app.state.services = services
    app.state.scrapes = metrics.Scrapes()
    for routes in ROUTES:
        app.include_router(routes.router, responses=ERROR_DOC)
    errors.install(app)
    door = services.door
    app.add_middleware(Waking, device=services.device)
    app.add_middleware(Intake, max_bytes=services.max_body_bytes, body_s=services.body_s)
    app.add_middleware(Crowd, per_key=door.per_key)
    app.add_middleware(ApiKeys, keys=services.api_keys)
    app.add_middleware(Surprises)
    app.add_middleware(AnthropicErrors)
    app.add_middleware(Origins, origins=door.origins, own_names_only=door.own_names_only)
    return app
