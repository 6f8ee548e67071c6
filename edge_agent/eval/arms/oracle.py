"""The gold paragraphs in the prompt: what the model makes of a perfect search."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.agent.records import Action
from edge_agent.chat.messages import Chat
from edge_agent.errors import RequestError, SearchError
from edge_agent.eval.arms.reading import Reading
from edge_agent.eval.gold import Passage
from edge_agent.eval.pages import Pages
from edge_agent.eval.question import Question
from edge_agent.eval.talk import Talk
from edge_agent.eval.trial import Trial
from edge_agent.tools.base import Page

HITS = 10  # among which a gold title is looked for


class Oracle:
    """Gold paragraphs of the question's record, or the pages of its gold titles."""

    name = "oracle"

    def __init__(self, chat: Chat, pages: Pages) -> None:
        self._chat = chat
        self._pages = pages
        self._reading = Reading(chat)

    async def answer(self, question: Question) -> Trial:
        talk = Talk(self._chat, question.question)
        passages = question.gold or await self._fetched(talk, question)
        return Trial(talk.run(await self._reading.answer(talk, question.question, passages)))

    async def _fetched(self, talk: Talk, question: Question) -> Sequence[Passage]:
        urls = [await self._url_of(title, question) for title in question.gold_titles]
        if not urls:
            raise RequestError(
                f"Question {question.id} has neither gold paragraphs nor gold_titles: the oracle "
                "needs one of them.",
                "questions",
            )
        read = await self._pages.read(urls)
        pages = [page for page in read if isinstance(page, Page)]
        result = "; ".join(f"read “{page.title}”" for page in pages) or "nothing could be read"
        talk.did([Action("fetch_url", {"url": urls}, result)])
        return [Passage(page.title, page.text) for page in pages]

    async def _url_of(self, title: str, question: Question) -> str:
        hits = await self._pages.search(title, HITS)
        named = [hit.url for hit in hits if hit.title.casefold() == title.casefold()]
        if not named:
            message = (
                f"Question {question.id}: no search result is titled {title!r}, its gold page."
            )
            raise SearchError(message)
        return named[0]
