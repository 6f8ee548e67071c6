"""Structured answers of a real model in a real engine process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from edge_agent.agent.runs.structured import Structurer
from edge_agent.chat.model import ChatModel
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.vocab import Vocab
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import LoadSpec, SamplingParams
from edge_agent.errors import GrammarError

N_CTX = 2048
FACTS = "[1] The Thrift was built by Ane Pollock in 1871. [2] She was a smack of 40 tons."
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "builder": {"type": "string", "maxLength": 40},
        "year": {"type": "integer", "minimum": 1800, "maximum": 1999},
        "kind": {"enum": ["smack", "ketch", "other"]},
        "sources": {"type": "array", "items": {"type": "integer"}, "maxItems": 3},
    },
    "required": ["builder", "year", "kind", "sources"],
    "additionalProperties": False,
}


@pytest.fixture
async def structurer(smollm2_path: Path) -> AsyncIterator[Structurer]:
    engine = EngineClient(LoadSpec(str(smollm2_path), N_CTX, 256, 2, 1), notice=print)
    await engine.start()
    vocab = Vocab.load(smollm2_path)
    greedy = SamplingParams(temperature=0)
    chat = ChatModel("smollm2", vocab, engine, ChatTemplate.of(vocab), N_CTX, greedy)
    yield Structurer(chat)
    await engine.close()


async def test_the_value_satisfies_the_schema_or_the_schema_is_refused(
    structurer: Structurer,
) -> None:
    structurer.check(SCHEMA)
    value, usage = await structurer.write(SCHEMA, "Who built it, and when?", "Ane Pollock", FACTS)
    jsonschema.validate(value, SCHEMA)
    assert usage.completion_tokens > 10
    for schema in (
        {"type": "object", "properties": {"a": {"type": "oblong"}}},
        {"type": "object", "properties": {"a": {"not": {"type": "string"}}}},
        {"$ref": "#/$defs/missing"},
        {"type": "object", "description": "word " * 2000},
    ):
        with pytest.raises(GrammarError, match="output_schema") as refused:
            structurer.check(schema)
        assert refused.value.param == "output_schema"
        assert "response_format" not in str(refused.value)
