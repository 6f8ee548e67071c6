"""One continuation of a prompt: ids in, events out, and the account at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from edge_agent.chat.detokenizer import Detokenizer
from edge_agent.chat.logprobs import Tape, spelled
from edge_agent.chat.messages import Done, Event, Prompt, Text, Thought, ToolCall, ToolSpec
from edge_agent.chat.parser import StreamParser
from edge_agent.chat.thinking import thought_tokens
from edge_agent.chat.vocab import Vocabulary
from edge_agent.engine.params import Finished, FinishReason, TokenLogprobs, Tokens, Usage
from edge_agent.errors import EngineError


class Reader:
    """Reads what the engine sends of continuation `choice`, until that is over.

    hidden: ids that are not part of the text.
    """

    def __init__(
        self,
        vocab: Vocabulary,
        hidden: set[int | None],
        prompt: Prompt,
        make_id: Callable[[], str],
        choice: int = 0,
    ) -> None:
        self._vocab = vocab
        self._hidden = hidden
        self._prompt = prompt
        self._choice = choice
        self._characters = Detokenizer()
        self._tape = Tape()
        tools = {name: ToolSpec(name, "", {}) for name in prompt.tool_names}
        tools |= {tool.name: tool for tool in prompt.tools}
        self._parser = StreamParser(
            tools, make_id, prompt.opens_thought, prompt.stop, self._tape.take
        )
        self._ids: list[int] = []
        self._cached = 0
        self._called = False
        self._started_s = time.monotonic()
        self._first_s: float | None = None
        self.over = False  # Done was told

    def read(self, item: Tokens | Finished) -> list[Event]:
        """The events that this item completes; none once it is over."""
        if self.over:
            return []
        if isinstance(item, Finished):
            return self._end(item.reason, item.usage)
        self._first_s = self._first_s or time.monotonic()
        self._cached = item.cached_tokens
        self._ids += item.ids
        events = self._noted(self._parser.feed(self._decode(item.ids, item.logprobs)))
        return events + (self._end("stop", self._usage()) if self._parser.stopped else [])

    def _decode(self, ids: Sequence[int], logprobs: Sequence[TokenLogprobs]) -> str:
        if self._prompt.params.n_logprobs is None:
            return self._characters.feed(b"".join(map(self._piece, ids)))
        text = ""
        for place, token in enumerate(ids):
            piece = self._piece(token)
            more = self._characters.feed(piece)
            told = piece and place < len(logprobs)
            entry = spelled(logprobs[place], self._vocab.piece) if told else None
            self._tape.add(entry, len(more), self._characters.inside)
            text += more
        return text

    def _piece(self, token: int) -> bytes:
        return b"" if token in self._hidden else self._vocab.piece(token)

    def _end(self, reason: FinishReason, usage: Usage) -> list[Event]:
        if reason == "cancelled":
            raise EngineError("The engine gave the generation up: send the request again.")
        events = self._noted(self._parser.feed(self._characters.flush()))
        events += self._noted(self._parser.flush(cut=reason == "length"))
        why: Literal["stop", "length", "tool_calls"] = "tool_calls" if self._called else reason
        thought = thought_tokens(self._ids, self._prompt.params.thought)
        malformed = self._parser.malformed
        self.over = True
        return [*events, Done(why, usage, tuple(self._ids), malformed, self._choice, thought)]

    def _noted(self, events: Sequence[Text | Thought | ToolCall]) -> list[Event]:
        self._called = self._called or any(isinstance(e, ToolCall) for e in events)
        return [replace(e, choice=self._choice) for e in events] if self._choice else [*events]

    def _usage(self) -> Usage:
        """What can be said of a generation that we ended ourselves."""
        now, first = time.monotonic(), self._first_s or time.monotonic()
        return Usage(
            prompt_tokens=len(self._prompt.ids),
            cached_tokens=self._cached,
            completion_tokens=len(self._ids),
            prompt_s=first - self._started_s,
            predict_s=now - first,
        )
