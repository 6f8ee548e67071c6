"""GET /props: how the server was started."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from edge_agent import __version__
from edge_agent.errors import NotSupported
from edge_agent.server.device.settings import sampling_settings
from edge_agent.server.output import JsonResponse
from edge_agent.server.services import Services
from edge_agent.server.state import ServicesDep

router = APIRouter(tags=["server"])


@router.get("/props", summary="How the server was started")
async def props(services: ServicesDep) -> Response:
    """The defaults of a request and the facts of the model, in llama-server's words.
    `is_sleeping`: the model is unloaded until the next request; asking here does not load it."""
    facts = services.device.facts
    return JsonResponse(
        {
            "default_generation_settings": {
                "id": 0,
                "n_ctx": services.chat.n_ctx,
                "speculative": facts.speculates,
                "is_processing": False,
                "params": generation_settings(services),
            },
            "total_slots": facts.n_slots,
            "model_alias": services.chat.name,
            "model_path": facts.model_path,
            "modalities": {"vision": False, "audio": False},
            "endpoint_slots": services.shows_slots,
            "endpoint_props": False,
            "endpoint_metrics": services.shows_metrics,
            "build_info": f"edge-agent {__version__}",
            "is_sleeping": services.device.is_sleeping,
            **_texts(services),
        }
    )


@router.post("/props", summary="Not supported: change the properties")
async def change_props() -> Response:
    """Always 501: what the server was started with stays."""
    raise NotSupported("Properties cannot be changed while the server runs: start it with flags.")


def generation_settings(services: Services) -> dict[str, Any]:
    """What a request gets that says nothing."""
    limit = services.defaults.max_tokens
    n_predict = -1 if limit is None else limit
    return {
        **sampling_settings(services.defaults.sampling),
        "n_predict": n_predict,
        "max_tokens": n_predict,
        "stream": False,
        "reasoning_format": services.defaults.reasoning_format,
    }


def _texts(services: Services) -> dict[str, Any]:
    texts = services.texts
    if texts is None:
        return {"chat_template": "", "bos_token": "", "eos_token": ""}
    return {"chat_template": texts.template, "bos_token": texts.bos, "eos_token": texts.eos}
