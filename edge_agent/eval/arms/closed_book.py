"""From memory: what the model knows without any page."""

from __future__ import annotations

from edge_agent.chat.messages import Chat
from edge_agent.eval.arms.short_answer import short_request, tidy
from edge_agent.eval.prompts import text_of
from edge_agent.eval.question import Question
from edge_agent.eval.talk import Talk
from edge_agent.eval.trial import Trial


class ClosedBook:
    """One generation, nothing to read."""

    name = "closed-book"

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._prompt = text_of("closed_book")

    async def answer(self, question: Question) -> Trial:
        talk = Talk(self._chat, question.question)
        text = self._prompt.format(question=question.question)
        completion = await talk.ask(short_request(text))
        return Trial(talk.run(tidy(completion.text)))
