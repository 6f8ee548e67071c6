"""One continuation of a prompt: ids in, events out, and the account at the end."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Literal

from edge_agent.chat.detokenizer import Detokenizer
from edge_agent.chat.logprobs import Tape, spelled
from edge_agent.chat.messages import Done, Event, Progress, Prompt, ToolCall, ToolSpec
from edge_agent.chat.parser import Piece, StreamParser
from edge_agent.chat.plain import PlainParser
from edge_agent.chat.thinking import thought_tokens
from edge_agent.chat.vocab import Vocabulary
from edge_agent.engine.params import (
    Computed,
    Finished,
    FinishReason,
    TokenLogprobs,
    Tokens,
    Usage,
)
from edge_agent.errors import EngineError


async def read_all(
    items: AsyncGenerator[Tokens | Computed | Finished, None], readers: Sequence[Reader]
) -> AsyncGenerator[Event, None]:
    """The events of all continuations, until the last is over; it closes `items`."""
    async with aclosing(items):
        async for item in items:
            for event in readers[item.index].read(item):
                yield event
            if all(reader.over for reader in readers):
                return


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
        self._parser = _parser(prompt, make_id, self._tape)
        self._ids: list[int] = []
        self._cached = 0
        self._called = False
        self._started_s = time.monotonic()
        self._first_s: float | None = None
        self.over = False  # Done was told

    def read(self, item: Tokens | Computed | Finished) -> list[Event]:
        """The events that this item completes; none once it is over."""
        if self.over:
            return []
        if isinstance(item, Finished):
            return self._end(item.reason, item.usage)
        self._cached = item.cached_tokens
        if isinstance(item, Computed):
            return [self._computed(item)]
        self._first_s = self._first_s or time.monotonic()
        if self._prompt.plain and item.logprobs:
            return self._one_by_one(item)
        return self._read(item.ids, item.logprobs)

    def _one_by_one(self, item: Tokens) -> list[Event]:
        """Each token on its own: who asks for probabilities of a text reads them token by token."""
        events: list[Event] = []
        for place, token in enumerate(item.ids):
            events += [] if self.over else self._read((token,), item.logprobs[place : place + 1])
        return events

    def _read(self, ids: Sequence[int], logprobs: Sequence[TokenLogprobs]) -> list[Event]:
        self._ids += ids
        pieces = self._noted(self._parser.feed(self._decode(ids, logprobs)))
        so_far: list[Event] = [self._progress()] if self._prompt.params.progress else []
        stopped = bool(self._parser.stopped)
        return [*so_far, *pieces, *(self._end("stop", self._usage()) if stopped else [])]

    def _computed(self, item: Computed) -> Progress:
        n = len(self._prompt.ids)
        usage = Usage(prompt_tokens=n, cached_tokens=item.cached_tokens, prompt_s=item.seconds)
        return Progress(item.n_tokens, usage, self._choice)

    def _progress(self) -> Progress:
        return Progress(len(self._prompt.ids), self._usage(), self._choice)

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
        called = self._called and not (reason == "length" and self._parser.broken)
        why: Literal["stop", "length", "tool_calls"] = "tool_calls" if called else reason
        thought = thought_tokens(self._ids, self._prompt.params.thought)
        self.over = True
        done = Done(
            why,
            usage,
            tuple(self._ids),
            self._parser.malformed,
            self._choice,
            thought,
            self._parser.stopped or None,
        )
        return [*events, done]

    def _noted(self, events: Sequence[Piece]) -> list[Event]:
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


def _parser(prompt: Prompt, make_id: Callable[[], str], tape: Tape) -> StreamParser | PlainParser:
    if prompt.plain:
        return PlainParser(prompt.stop, tape.take)
    tools = {name: ToolSpec(name, "", {}) for name in prompt.tool_names}
    tools |= {tool.name: tool for tool in prompt.tools}
    return StreamParser(
        tools,
        make_id,
        prompt.opens_thought,
        prompt.stop,
        tape.take,
        live=prompt.live_calls,
        strict=prompt.strict_calls,
    )
