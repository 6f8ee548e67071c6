"""GET /props: how the server was started."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from edge_agent import __version__
from edge_agent.engine.params import SamplingParams
from edge_agent.errors import NotSupported
from edge_agent.server.output import Json
from edge_agent.server.services import Services
from edge_agent.server.state import ServicesDep

router = APIRouter(tags=["server"])

ANY_SEED = 0xFFFFFFFF  # llama-server's word for a fresh one each time


@router.get("/props", summary="How the server was started")
async def props(services: ServicesDep) -> Response:
    """The defaults of a request and the facts of the model, in llama-server's words.
    `is_sleeping`: the model is unloaded until the next request; asking here does not load it."""
    facts = services.device.facts
    return Json(
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


def sampling_settings(sampling: SamplingParams) -> dict[str, Any]:
    """Sampling in llama-server's words."""
    return {
        "seed": ANY_SEED if sampling.seed is None else sampling.seed,
        "temperature": sampling.temperature,
        "top_k": sampling.top_k,
        "top_p": sampling.top_p,
        "min_p": sampling.min_p,
        "typical_p": sampling.typical_p,
        "repeat_last_n": sampling.penalty_last_n,
        "repeat_penalty": sampling.repeat_penalty,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "dry_multiplier": sampling.dry_multiplier,
        "dry_base": sampling.dry_base,
        "dry_allowed_length": sampling.dry_allowed_length,
        "dry_penalty_last_n": sampling.dry_penalty_last_n,
        "dry_sequence_breakers": list(sampling.dry_breakers),
        "logit_bias": [{"token": token, "bias": bias} for token, bias in sampling.logit_bias],
    }


def _texts(services: Services) -> dict[str, Any]:
    texts = services.texts
    if texts is None:
        return {"chat_template": "", "bos_token": "", "eos_token": ""}
    return {"chat_template": texts.template, "bos_token": texts.bos, "eos_token": texts.eos}
