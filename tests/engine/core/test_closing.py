"""Whatever was written before, what a grammar has open is closed within a few tokens."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from llguidance import LLTokenizer, TokenizerWrapper

from edge_agent.engine.core.closing import Closing
from edge_agent.engine.core.constraint import Constraint

from .test_constraint import EOS, MARK, Bytes

STYLE = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
PIECES = (*Bytes.tokens[:256], b"<eos>", b"</call>")
TEXT: dict[str, Any] = {"type": "string"}


def of(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required}


SCHEMAS: dict[str, dict[str, Any]] = {
    "one text": of(["a"], a=TEXT),
    "optional": of([], a=TEXT, b={"type": "integer"}, c={"type": "boolean"}),
    "number before text": of(["a", "b"], a={"type": "number"}, b=TEXT),
    "open": {"type": "object", "additionalProperties": True},
    "choice": of(["a", "b"], a={"enum": ["red", "dark red"]}, b={"enum": [1, 22]}),
    "array": of(["a"], a={"type": "array", "items": TEXT, "minItems": 2}),
    "nested": of(["a"], a={"type": "array", "items": of(["b"], b=of(["c"], c=TEXT))}),
    "union": of(["a"], a={"anyOf": [TEXT, {"type": "number"}, of(["b"], b=TEXT)]}),
    "long": of(["a"], a={**TEXT, "minLength": 5}),
}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
@given(st.integers(0, 2**32), st.integers(0, 60))
@settings(max_examples=25, deadline=None)
def test_a_text_is_whole_and_valid_soon_after_it_is_late(
    schema: dict[str, Any], seed: int, n_free: int
) -> None:
    chance = np.random.default_rng(seed)
    grammar = json.dumps({"grammars": [{"json_schema": {**schema, "x-guidance": STYLE}}]})
    closing = Closing(PIECES, (EOS,), (EOS, MARK))
    one = Constraint(grammar, LLTokenizer(TokenizerWrapper(Bytes())), closing)
    written, n_late = one.forced(), 0
    while not one.finished and n_late < 60:
        logits = chance.normal(size=len(PIECES)).astype(np.float32)
        logits[[*b'"}]']] -= 5  # a model that does not want to end
        one.apply(logits, late=len(written) > n_free)
        token = int(logits.argmax())
        if token == EOS:
            break
        n_late += len(written) > n_free
        written += [token, *one.accept(token)]
    assert one.complete
    value = json.loads(bytes(written))
    assert not list(Draft202012Validator(schema).iter_errors(value))


def test_what_is_not_late_is_left_as_it_is() -> None:
    closing = Closing(PIECES, (EOS,), (EOS, MARK))
    one = Constraint('start: "a" | "}"', LLTokenizer(TokenizerWrapper(Bytes())), closing)
    for late, left in ((False, {*b"a}"}), (True, {*b"}"})):
        logits = np.zeros(len(PIECES), np.float32)
        one.apply(logits, late)
        assert set(np.flatnonzero(np.isfinite(logits)).tolist()) == left


def test_a_mark_closes_what_is_not_json() -> None:
    closing = Closing(PIECES, (EOS,), (EOS, MARK))
    logits = np.zeros(len(PIECES), np.float32)
    logits[[*b'"}]']] = -np.inf
    logits[EOS] = -np.inf
    closing.prefer(logits)
    assert np.flatnonzero(np.isfinite(logits)).tolist() == [MARK]
