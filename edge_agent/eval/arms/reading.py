"""Passages in the prompt and a short answer from them."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.agent.records import Note
from edge_agent.chat.messages import Chat
from edge_agent.eval.arms.short_answer import ANSWER_TOKENS, PROMPT_TOKENS, short_request, tidy
from edge_agent.eval.gold import Passage
from edge_agent.eval.prompts import text_of
from edge_agent.eval.talk import Talk

MOST_TOKENS = 6000  # of all passages together


class Reading:
    """Fits passages into the window, each with an equal share of it, and asks."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._prompt = text_of("from_pages")

    async def answer(self, talk: Talk, question: str, passages: Sequence[Passage]) -> str:
        """A short answer; what was read is noted in the record."""
        fitted = self._fitted(question, passages)
        talk.did((), [Note("prompt", "", one.title, one.text) for one in fitted])
        pages = "\n\n".join(f"[{i}] {one.title}\n{one.text}" for i, one in enumerate(fitted, 1))
        text = self._prompt.format(pages=pages or "(no page)", question=question)
        return tidy((await talk.ask(short_request(text))).text)

    def _fitted(self, question: str, passages: Sequence[Passage]) -> list[Passage]:
        taken = PROMPT_TOKENS + ANSWER_TOKENS + self._chat.count(question)
        room = min(self._chat.n_ctx - taken, MOST_TOKENS)
        share = max(room, 0) // max(len(passages), 1)
        return [Passage(one.title, self._cut(one, share)) for one in passages]

    def _cut(self, passage: Passage, most: int) -> str:
        """The beginning of a text, with its title within `most` tokens."""
        text, room = passage.text, most - self._chat.count(passage.title) - 8
        while text and (count := self._chat.count(text)) > max(room, 0):
            text = text[: min(len(text) * max(room, 0) // count, len(text) - 1)]
        return text
