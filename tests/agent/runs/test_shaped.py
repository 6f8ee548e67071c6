"""Answers in the shape that a task asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge_agent.agent.records import Limits
from edge_agent.chat.messages import Prompt
from edge_agent.errors import (
    GrammarError,
    RequestError,
)

from ..fakes import FakeChat, Says, search
from .house import QUESTION, House

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "year": {"type": "integer"}},
    "required": ["name", "year"],
}
SHAPED = replace(QUESTION, output_schema=SCHEMA)


class Shaping(FakeChat):
    """Writes `output` where a schema asks for a name, and refuses schemas of strange types."""

    output = '{"name": "Ane Pollock", "year": 1871}'
    length = False

    def prepare(self, request: Any) -> Prompt:
        if (request.response_schema or {}).get("type") == "oblong":
            raise GrammarError("The schema cannot be honoured: no type oblong.", "response_format")
        return super().prepare(request)

    def _next(self, request: Any) -> Says:
        if "name" in (request.response_schema or {}).get("properties", {}):
            return Says(self.output, length=self.length)
        return super()._next(request)


async def test_an_answer_takes_the_shape_that_was_asked_for(house: House) -> None:
    chat = Shaping([search("Thrift builder")], ["Ane Pollock"])
    run = await house.service(chat).run(SHAPED)
    assert run.output == {"name": "Ane Pollock", "year": 1871}
    assert (run.answer, run.reason) == ("Ane Pollock", "answered")
    text = next(t for t in chat.rendered if '"year"' in t and "Ane Pollock built" not in t)
    assert text and run == house.service().book.run(run.id)


async def test_a_shape_that_was_not_filled_is_no_output(house: House) -> None:
    chat = Shaping([search("Thrift builder")], ["Ane Pollock"])
    chat.output, chat.length = '{"name": "Ane', True
    run = await house.service(chat).run(SHAPED)
    assert (run.output, run.reason, run.answer) == (None, "format_error", "Ane Pollock")


async def test_nothing_found_fills_no_shape(house: House) -> None:
    chat = Shaping([search("fish")], ["not found"])
    run = await house.service(chat).run(replace(SHAPED, limits=Limits(steps=2)))
    assert (run.output, run.answer) == (None, "not found")


@pytest.mark.parametrize(
    "schema", [{"type": "oblong"}, {"type": "object", "description": "word " * 5000}]
)
async def test_a_shape_that_cannot_be_honoured_is_refused_before_anything(
    house: House, schema: dict[str, Any]
) -> None:
    service = house.service(Shaping([search("x")]))
    with pytest.raises(RequestError, match="output_schema") as refused:
        service.submit(replace(QUESTION, output_schema=schema))
    assert refused.value.param == "output_schema"
    assert house.store.list() == []
