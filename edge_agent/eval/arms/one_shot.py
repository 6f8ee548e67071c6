"""Search the raw question once, read the best five pages, answer."""

from __future__ import annotations

import time
from collections.abc import Sequence

from edge_agent.agent.records import Action
from edge_agent.chat.messages import Chat
from edge_agent.errors import FetchError
from edge_agent.eval.arms.reading import Reading
from edge_agent.eval.gold import Passage
from edge_agent.eval.pages import Pages
from edge_agent.eval.question import Question
from edge_agent.eval.talk import Talk
from edge_agent.eval.trial import Trial
from edge_agent.tools.base import FetchFailure, Page, SearchHit

PAGES = 5


class OneShot:
    """Retrieval without an agent: the floor that a loop has to beat."""

    name = "one-shot"

    def __init__(self, chat: Chat, pages: Pages) -> None:
        self._chat = chat
        self._pages = pages
        self._reading = Reading(chat)

    async def answer(self, question: Question) -> Trial:
        talk = Talk(self._chat, question.question)
        hits = await self._search(talk, question.question)
        pages = await self._read(talk, hits)
        passages = [Passage(page.title, page.text) for page in pages]
        answer = await self._reading.answer(talk, question.question, passages)
        return Trial(talk.run(answer))

    async def _search(self, talk: Talk, query: str) -> Sequence[SearchHit]:
        began = time.monotonic()
        hits = await self._pages.search(query, PAGES)
        titles = "; ".join(hit.title for hit in hits) or "no results"
        talk.did([Action("search", {"query": query}, titles, seconds=_since(began))])
        return hits

    async def _read(self, talk: Talk, hits: Sequence[SearchHit]) -> list[Page]:
        began, urls = time.monotonic(), [hit.url for hit in hits]
        read = await self._pages.read(urls)
        pages = [page for page in read if isinstance(page, Page)]
        failures = [page for page in read if isinstance(page, FetchFailure)]
        if failures and not pages:
            raise FetchError(failures[0].message, failures[0].url, failures[0].kind)
        told = [f"read “{page.title}”" for page in pages] + [one.message for one in failures]
        if told:
            result = "; ".join(told)
            talk.did([Action("fetch_url", {"url": urls}, result, seconds=_since(began))])
        return pages


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)
