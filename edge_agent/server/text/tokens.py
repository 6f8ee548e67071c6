"""POST /tokenize, /detokenize and /apply-template, as llama-server has them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter

from edge_agent.chat.text import TextModel
from edge_agent.errors import RequestError
from edge_agent.server.completions.request import to_request
from edge_agent.server.completions.schemas import ChatBody
from edge_agent.server.state import ServicesDep
from edge_agent.server.text.schemas import DetokenizeBody, TokenizeBody

router = APIRouter(tags=["text"])


@router.post("/tokenize", summary="The tokens of a text")
async def tokenize(body: TokenizeBody, services: ServicesDep) -> dict[str, Any]:
    """Token ids, or with `"with_pieces": true` objects of `id` and `piece`.

    A piece that is no text by itself, such as half of a character, is a list of its bytes.
    """
    return {"tokens": await asyncio.to_thread(_tokens, services.text_model(), body)}


@router.post("/detokenize", summary="The text of tokens")
async def detokenize(body: DetokenizeBody, services: ServicesDep) -> dict[str, Any]:
    """What is no character shows as U+FFFD."""
    return {"content": await asyncio.to_thread(services.text_model().text, body.tokens)}


@router.post("/apply-template", summary="The prompt of a chat")
async def apply_template(body: ChatBody, services: ServicesDep) -> dict[str, Any]:
    """The text that /v1/chat/completions would give to the model for the same body."""
    texts = services.text_model()
    asked = to_request(body, services.defaults)
    return {"prompt": await asyncio.to_thread(texts.render, asked)}


def _tokens(texts: TextModel, body: TokenizeBody) -> list[Any]:
    ids = [*(texts.bos_ids if body.add_special else ()), *_ids(texts, body)]
    return [_with_piece(texts, id) for id in ids] if body.with_pieces else ids


def _ids(texts: TextModel, body: TokenizeBody) -> list[int]:
    parts = [body.content] if isinstance(body.content, str) else body.content
    ids: list[int] = []
    for part in parts:
        ids += texts.encode(part, body.parse_special) if isinstance(part, str) else [part]
    _check(ids, texts.n_vocab)
    return ids


def _check(ids: Sequence[int], n_vocab: int) -> None:
    foreign = [id for id in ids if not 0 <= id < n_vocab]
    if foreign:
        raise RequestError(
            f"content: {foreign[0]} is not a token id of this model, which has {n_vocab}.",
            "content",
        )


def _with_piece(texts: TextModel, id: int) -> dict[str, Any]:
    piece = texts.piece(id)
    try:
        return {"id": id, "piece": piece.decode()}
    except UnicodeDecodeError:
        return {"id": id, "piece": list(piece)}
