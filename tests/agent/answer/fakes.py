"""Evidence of a few pages, and a model that answers each request with the next of its objects."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from edge_agent.agent.answer.answer import Answer
from edge_agent.agent.refine.evidence import Evidence, Fact
from edge_agent.agent.refine.passages import split
from edge_agent.chat.messages import ChatRequest, Completion, Done
from edge_agent.engine.params import Usage
from edge_agent.tools.base import Page

from ..fakes import FakeChat, Says, title

SMACK = "The Thrift is an old smack. She was built by Ane Pollock in 1871. She has tanned sails."
BELL = "The bell weighs 210 kilograms. It was carried by the Thrift to Mossby."
PAGES = {"http://h/thrift": SMACK, "http://h/bell": BELL}
SPENT = Usage(prompt_tokens=10, completion_tokens=5)
NO_GENERATION = Completion("", "", (), Done("stop", Usage()))


class Script(FakeChat):
    """Says the next object, or text, at each request; the last for ever."""

    def __init__(self, *wrote: Mapping[str, object] | str) -> None:
        super().__init__([Says(w if isinstance(w, str) else json.dumps(w)) for w in wrote])

    def _next(self, request: ChatRequest) -> Says:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


def evidence(pages: Mapping[str, str] = PAGES) -> Evidence:
    """Every passage of the pages, numbered from 1."""
    found = Evidence()
    for url, text in pages.items():
        page = Page(url, title(url), text, "text/html", "web", "2026-01-01T00:00:00Z")
        found.add(page, split(text))
    return found


def fact(found: Evidence, number: int) -> Fact:
    return list(found)[number - 1]


def answer(text: str, found: Evidence, numbers: Sequence[int] = ()) -> Answer:
    """An answer that cites these facts."""
    cited = tuple(fact(found, number).citation for number in numbers)
    return Answer(text, cited, Completion("", "", (), Done("stop", SPENT)))
