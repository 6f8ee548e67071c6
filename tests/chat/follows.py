"""What a grammar says of a text, over a vocabulary of bytes."""

from __future__ import annotations

import numpy as np
from llguidance import LLTokenizer, TokenizerWrapper

from edge_agent.chat.constraints import Turn, grammar_for
from edge_agent.chat.formats import FORMATS
from edge_agent.chat.messages import (
    ChatRequest,
    Message,
)
from edge_agent.engine.core.constraint import Constraint

from .fakes import TOOLS, FakeVocab

ASKED = (Message("user", "Who?"),)
SEARCH_A = '{"name": "search", "arguments": {"query": ["a", "b"], "limit": 3}}'
FETCH_U = '{"name": "fetch_url", "arguments": {"url": "http://x.org"}}'
ONE = f"<tool_call>\n{SEARCH_A}\n</tool_call>"
TWO = f"{ONE}\n<tool_call>\n{FETCH_U}\n</tool_call>"
VOCAB = FakeVocab(thinks=True)
FREE = ChatRequest(ASKED, TOOLS)
MUST = ChatRequest(ASKED, TOOLS, "required")


class Bytes:
    """FakeVocab in the shape that llguidance takes a tokenizer."""

    eos_token_id = 257
    bos_token_id = 258
    special_token_ids = tuple(range(256, 265))
    tokens = tuple(VOCAB.piece(i) for i in range(265))

    def __call__(self, text: bytes | str) -> list[int]:
        return list(text.encode() if isinstance(text, str) else text)


TOKENIZER = LLTokenizer(TokenizerWrapper(Bytes()))


def follows(grammar: str | None, text: str, tokens: bool = True) -> str:
    """What the grammar says of a text: "complete", "unfinished", or what it accepted before no.

    Without `tokens` every marker is spelled out in bytes.
    """
    assert grammar is not None
    constraint = Constraint(grammar, TOKENIZER)
    forced: list[int] = []
    ids = VOCAB.encode(text) if tokens else list(text.encode())
    for n, token in enumerate(ids):
        if forced:
            if forced.pop(0) != token:
                return VOCAB.text(ids[:n])
            continue
        if constraint.finished or not allowed(constraint, token):
            return VOCAB.text(ids[:n])
        forced = constraint.accept(token)
    done = constraint.finished or allowed(constraint, Bytes.eos_token_id)
    return "complete" if done and not forced else "unfinished"


def allowed(constraint: Constraint, token: int) -> bool:
    logits = np.zeros(len(Bytes.tokens), np.float32)
    constraint.apply(logits)
    return bool(np.isfinite(logits[token]))


def grammar(
    request: ChatRequest, form: str = "hermes", turn: Turn | None = None, tokens: bool = True
) -> str | None:
    ids = VOCAB.token_id if tokens else lambda text: None
    return grammar_for(request, FORMATS[form], turn or Turn(), ids)
