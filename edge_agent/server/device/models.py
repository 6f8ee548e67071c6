"""What this server has and how it is: /v1/models, /health and /."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI, Request

from edge_agent import __version__
from edge_agent.errors import NotFound
from edge_agent.server.errors import shape
from edge_agent.server.output import JsonResponse
from edge_agent.server.services import EngineHealth, ServedModel
from edge_agent.server.state import ServicesDep

router = APIRouter(tags=["server"])


@router.get("/", summary="What this server is")
async def root(request: Request, services: ServicesDep) -> dict[str, Any]:
    model = services.chat.name
    return {
        "name": "edge-agent",
        "version": __version__,
        "model": model,
        "routes": _routes(request.app),
    }


@router.get("/v1/models", summary="The models here")
async def list_models(services: ServicesDep) -> dict[str, Any]:
    """What a client may name as `model`, the agent over the one that is loaded included."""
    listed = [*_models(services), services.agent_model()]
    return {"object": "list", "data": [_entry(model) for model in listed]}


@router.get("/models", include_in_schema=False)
async def loaded_models(services: ServicesDep) -> dict[str, Any]:
    """llama-server's route: what is loaded, and nothing over it."""
    return {"object": "list", "data": [_entry(model) for model in _models(services)]}


@router.get("/v1/models/{name:path}", summary="One model")
async def one_model(name: str, services: ServicesDep) -> dict[str, Any]:
    models = [*_models(services), services.agent_model()]
    for model in models:
        if name in (model["name"], *model["aliases"], *model.get("also", ())):
            return _entry(model)
    known = ", ".join(model["name"] for model in models)
    raise NotFound(f"There is no model {name!r} here: there is {known}.")


@router.get("/health", summary="Whether the engine is ready")
@router.get("/v1/health", include_in_schema=False)
async def health(services: ServicesDep) -> JsonResponse:
    """200 when requests are served, 503 while the model loads, restarts, or has failed."""
    state = services.health()
    body = {"status": state.state, "detail": state.detail, "restarts": state.restarts}
    if state.state == "ok":
        return JsonResponse(body)
    return JsonResponse({**body, **shape(503, _why(state))}, status_code=503)


def _routes(app: FastAPI) -> dict[str, str]:
    """What is in the document, a line each."""
    paths = app.openapi()["paths"]
    return {
        f"{method.upper()} {path}": route["summary"]
        for path, methods in paths.items()
        for method, route in methods.items()
    }


def _why(health: EngineHealth) -> str:
    sentences = {
        "loading": "The model is still loading.",
        "restarting": "The engine died and is being restarted.",
        "failed": "The engine is down.",
    }
    return f"{sentences[health.state]} {health.detail}".strip()


def _models(services: ServicesDep) -> list[ServedModel]:
    """The listed models; the one that answers is always among them."""
    chat = services.chat
    listed = list(services.models)
    if all(model["name"] != chat.name for model in listed):
        listed.insert(0, ServedModel(name=chat.name, aliases=(), size=None, n_ctx=chat.n_ctx))
    return listed


def _entry(model: ServedModel) -> dict[str, Any]:
    return {
        "id": model["name"],
        "object": "model",
        "created": 0,
        "owned_by": "edge-agent",
        "aliases": list(model["aliases"]),
        "tags": list(model.get("tags", ())),
        "capabilities": list(model.get("capabilities", ())),
        "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
        "meta": {"n_ctx": model["n_ctx"], "size": model["size"], **model.get("meta", {})},
    }
