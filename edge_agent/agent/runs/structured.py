"""An answer as JSON of the asker's own shape, written by the model under its schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from edge_agent.agent.prompts import prompt
from edge_agent.chat.messages import Chat, ChatRequest, Completion, Message
from edge_agent.engine.params import SamplingParams, Usage
from edge_agent.errors import ContextOverflow, GrammarError

GREEDY = SamplingParams(temperature=0)
OUTPUT_TOKENS = 1024
OUTPUT_SHARE = 4  # of the window at most a quarter is written
PARAM = "output_schema"


class Structurer:
    """Makes structured answers with one chat model."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    def check(self, schema: Mapping[str, Any]) -> None:
        """Raises GrammarError when no generation could be held to the schema."""
        try:
            prepared = self._chat.prepare(self._request(schema, "", "", ""))
        except ContextOverflow as error:
            raise self._too_long(error.n_prompt_tokens) from None
        except GrammarError as error:
            reason = str(error).partition("honoured: ")[2] or str(error)
            raise GrammarError(f"output_schema cannot be honoured: {reason}", PARAM) from None
        if prepared.n_tokens + self._most > self._chat.n_ctx // 2:
            raise self._too_long(prepared.n_tokens)

    async def write(
        self, schema: Mapping[str, Any], question: str, answer: str, facts: str
    ) -> tuple[Any, Usage]:
        """The value, None when the model did not come to its end, and what it took."""
        request = self._request(schema, question, answer, facts)
        completion = await self._chat.complete(self._chat.prepare(request))
        return _value(completion), completion.done.usage

    @property
    def _most(self) -> int:
        return min(OUTPUT_TOKENS, self._chat.n_ctx // OUTPUT_SHARE)

    def _request(
        self, schema: Mapping[str, Any], question: str, answer: str, facts: str
    ) -> ChatRequest:
        text = prompt("output").format(
            schema=json.dumps(schema, ensure_ascii=False),
            facts=facts,
            question=question,
            answer=answer,
        )
        return ChatRequest(
            (Message("user", text),),
            response_schema=schema,
            sampling=GREEDY,
            max_tokens=self._most,
            thinking=False,
        )

    def _too_long(self, n_tokens: int) -> GrammarError:
        return GrammarError(
            f"output_schema takes {n_tokens} tokens, too many for a window of {self._chat.n_ctx}: "
            "ask for less at once.",
            PARAM,
        )


def _value(completion: Completion) -> Any:
    if completion.done.reason == "length":
        return None
    try:
        return json.loads(completion.text)
    except ValueError:  # a server elsewhere did not hold the model to the schema
        return None
