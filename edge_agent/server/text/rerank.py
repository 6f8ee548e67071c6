"""POST /v1/rerank: documents in the order of their likeness to a query."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from edge_agent.errors import RequestError
from edge_agent.server.output import JsonResponse
from edge_agent.server.state import ServicesDep
from edge_agent.server.streaming import answer
from edge_agent.server.text.embedder import EmbeddingModel
from edge_agent.server.text.embeddings import usage
from edge_agent.server.text.limits import check_texts
from edge_agent.server.text.schemas import RerankBody

router = APIRouter(tags=["text"])


@router.post("/v1/rerank", summary="Documents by likeness to a query")
@router.post("/rerank", include_in_schema=False)
@router.post("/v1/reranking", include_in_schema=False)
@router.post("/reranking", include_in_schema=False)
async def rerank(body: RerankBody, request: Request, services: ServicesDep) -> Response:
    """The likest first. `relevance_score` is the cosine of the embeddings of query and document,
    between -1 and 1: there is no model here that was trained to rank.

    The shape is Jina's and llama-server's; with `texts` in place of `documents` it is TEI's.
    """
    model = services.embedding_model()
    return await answer(request, _answer(model, body, documents_of(body)))


async def _answer(model: EmbeddingModel, body: RerankBody, documents: list[str]) -> Response:
    embedded = await model.embed([body.query, *documents])
    query, *others = embedded.vectors
    scores = [float(other @ query) for other in others]
    order = sorted(range(len(scores)), key=lambda index: -scores[index])[: body.top_n]
    if body.documents is None:
        return JsonResponse([_tei(body, index, scores[index], documents) for index in order])
    results = [_jina(body, index, scores[index], documents) for index in order]
    return JsonResponse(
        {"model": model.name, "object": "list", "usage": usage(embedded), "results": results}
    )


def documents_of(body: RerankBody) -> list[str]:
    """Raises RequestError."""
    field = "texts" if body.documents is None and body.texts is not None else "documents"
    given = body.texts if field == "texts" else body.documents
    if given is None:
        raise RequestError("documents: this field is required.", "documents")
    documents = [one if isinstance(one, str) else one.text for one in given]
    check_texts(documents, field)
    check_texts([body.query], "query")
    return documents


def _jina(body: RerankBody, index: int, score: float, documents: list[str]) -> dict[str, Any]:
    shown = {"document": {"text": documents[index]}} if body.return_documents else {}
    return {"index": index, "relevance_score": score, **shown}


def _tei(body: RerankBody, index: int, score: float, documents: list[str]) -> dict[str, Any]:
    shown = {"text": documents[index]} if body.return_documents else {}
    return {"index": index, "score": score, **shown}
