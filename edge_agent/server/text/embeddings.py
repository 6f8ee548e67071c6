"""POST /v1/embeddings."""

from __future__ import annotations

import asyncio
import base64

import numpy as np
from fastapi import APIRouter, Request
from numpy.typing import NDArray
from starlette.responses import Response

from edge_agent.errors import NotSupported
from edge_agent.server.output import JsonResponse
from edge_agent.server.state import ServicesDep
from edge_agent.server.streaming import answer
from edge_agent.server.surface import EMBEDDINGS
from edge_agent.server.text.embedder import Embedded, EmbeddingModel
from edge_agent.server.text.limits import check_texts
from edge_agent.server.text.schemas import EmbeddingsBody

router = APIRouter(tags=["text"])


@router.post("/v1/embeddings", summary="Vectors of texts")
async def embeddings(body: EmbeddingsBody, request: Request, services: ServicesDep) -> Response:
    """One vector of length 1 for each text, in their order.

    A text that is longer than the embedding model reads at once is read in pieces, and its vector
    is their mean, weighted by their tokens. With `"encoding_format": "base64"` a vector is the
    bytes of its 32-bit floats, little-endian.
    """
    model = services.embedding_model()
    return await answer(request, _answer(model, texts_of(body), body.encoding_format == "base64"))


async def _answer(model: EmbeddingModel, texts: list[str], as_base64: bool) -> Response:
    embedded = await model.embed(texts)
    # a million numbers take a second to write
    return await asyncio.to_thread(_response, model.name, embedded, as_base64)


def _response(name: str, embedded: Embedded, as_base64: bool) -> Response:
    write = _base64 if as_base64 else np.ndarray.tolist
    data = [
        {"object": "embedding", "index": index, "embedding": write(vector)}
        for index, vector in enumerate(embedded.vectors)
    ]
    return JsonResponse({"object": "list", "model": name, "data": data, "usage": usage(embedded)})


def texts_of(body: EmbeddingsBody) -> list[str]:
    """Raises RequestError, and NotSupported for what the embedding model cannot do."""
    EMBEDDINGS.check(body.model_extra)
    texts = [body.input] if isinstance(body.input, str) else body.input
    strings = [text for text in texts if isinstance(text, str)]
    if len(strings) < len(texts):
        raise NotSupported(
            "input: token ids are not supported, because the embedding model has its own: send "
            "text (langchain-openai does with check_embedding_ctx_length=False).",
            "input",
        )
    check_texts(strings, "input")
    return strings


def usage(embedded: Embedded) -> dict[str, int]:
    """OpenAI's usage object."""
    return {"prompt_tokens": embedded.n_tokens, "total_tokens": embedded.n_tokens}


def _base64(vector: NDArray[np.float32]) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()
