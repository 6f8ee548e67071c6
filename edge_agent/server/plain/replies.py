"""From the events of completions of plain text to OpenAI's text_completion objects."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

from edge_agent.chat.fold import unended
from edge_agent.chat.messages import Done, Event, Progress, Text, TokenLogprob
from edge_agent.server.completions.account import (
    progress_timings,
    prompt_progress,
    timings_of,
    total,
    usage,
)
from edge_agent.server.completions.head import Head, Wants
from edge_agent.server.completions.logprobs import LEAST, logprobs

Json = dict[str, Any]
KIND = "text_completion"


class Account:
    """The ends of `n` choices of each of some prompts."""

    def __init__(self, n_prompts: int, n: int) -> None:
        self._dones: list[list[Done]] = [[] for _ in range(n_prompts)]
        self._n = n

    def add(self, place: int, done: Done) -> bool:
        """Whether that was the last of all."""
        self._dones[place].append(done)
        return self.whole

    @property
    def whole(self) -> bool:
        return all(len(dones) == self._n for dones in self._dones)

    def usage(self) -> Json:
        """OpenAI's usage of all prompts together."""
        every = [done for dones in self._dones for done in dones]
        used = reduce(add, (total(dones) for dones in self._dones))
        return usage([replace(every[0], usage=used, thought_tokens=0)])

    def timings(self) -> Json:
        """The prompts ran side by side, so their times are not added."""
        each = [total(dones) for dones in self._dones]
        used = replace(
            reduce(add, each),
            prompt_s=max(one.prompt_s for one in each),
            predict_s=max(one.predict_s for one in each),
        )
        return timings_of(used, len(each) * self._n)


class TextMachine:
    """Events of several prompts in, chunks out. echo: the prompts, where they are to be told."""

    def __init__(
        self, head: Head, wants: Wants, n_prompts: int, n: int, echo: Sequence[str] = ()
    ) -> None:
        self._head = head
        self._wants = wants
        self._n = n
        self._echo = echo
        self._account = Account(n_prompts, n)
        self._so_far: dict[int, Json] = {}
        self._begun: set[int] = set()

    def feed(self, place: int, event: Event) -> list[Json]:
        index = place * self._n + event.choice
        first = [] if index in self._begun or not self._echo else [self._echoed(place, index)]
        self._begun.add(index)
        if isinstance(event, Done):
            return first + self._last(place, index, event)
        if isinstance(event, Progress):
            return first + self._progress(index, event)
        if isinstance(event, Text):
            more = _classic(event.logprobs)
            return [*first, {**self._chunk(index, event.text, more), **self._so_far.get(index, {})}]
        return first

    def _echoed(self, place: int, index: int) -> Json:
        return self._chunk(index, self._echo[place])

    def _progress(self, index: int, event: Progress) -> list[Json]:
        if self._wants.timings:
            self._so_far[index] = {"timings": progress_timings(event)}
        if not self._wants.progress or event.usage.completion_tokens:
            return []
        progress = {"prompt_progress": prompt_progress(event)}
        return [{**self._chunk(index, ""), **self._so_far.get(index, {}), **progress}]

    def _last(self, place: int, index: int, done: Done) -> list[Json]:
        end = self._chunk(index, "", reason=reason_of(done))
        if not self._account.add(place, done):
            return [end]
        ending = {"timings": self._account.timings(), **self._wants.verbose}
        if not self._wants.include_usage:
            return [{**end, **ending}]
        return [end, self._head.object(KIND, [], {"usage": self._account.usage(), **ending})]

    def _chunk(
        self, index: int, text: str, more: Json | None = None, reason: str | None = None
    ) -> Json:
        choice = {"text": text, "index": index, "logprobs": more, "finish_reason": reason}
        return self._head.object(KIND, [choice], {})


def reason_of(done: Done) -> str:
    """OpenAI's finish_reason of a text."""
    return "length" if done.reason == "length" else "stop"


async def text_completion(
    events: AsyncGenerator[tuple[int, Event], None],
    head: Head,
    wants: Wants,
    n_prompts: int,
    n: int,
    echo: Sequence[str] = (),
) -> Json:
    """The fold of the events: one `text_completion` object. It closes `events`."""
    account = Account(n_prompts, n)
    folds = [Fold() for _ in range(n_prompts * n)]
    async with aclosing(events):
        async for place, event in events:
            folds[place * n + event.choice].add(event)
            if isinstance(event, Done):
                account.add(place, event)
    if not account.whole:
        raise unended()
    choices = [
        {
            "text": (echo[index // n] if echo else "") + fold.text,
            "index": index,
            "logprobs": _classic(fold.logprobs),
            "finish_reason": reason_of(fold.done) if fold.done else None,
        }
        for index, fold in enumerate(folds)
    ]
    more = {"usage": account.usage(), "timings": account.timings(), **wants.verbose}
    return head.object(KIND, choices, more)


class Fold:
    """Collects one continuation of a text."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self.logprobs: list[TokenLogprob] = []
        self.done: Done | None = None

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def add(self, event: Event) -> None:
        if isinstance(event, Done):
            self.done = event
        elif isinstance(event, Text):
            self._pieces.append(event.text)
            self.logprobs += event.logprobs


def _classic(tokens: Sequence[TokenLogprob]) -> Json | None:
    """The logprobs of OpenAI's text completions, and llama-server's `content` beside them."""
    if not tokens:
        return None
    texts = [token.bytes.decode("utf-8", "replace") for token in tokens]
    return {
        "tokens": texts,
        "token_logprobs": [max(token.logprob, LEAST) for token in tokens],
        "top_logprobs": [_tops(token) for token in tokens],
        "text_offset": [sum(map(len, texts[:place])) for place in range(len(texts))],
        "content": logprobs(tokens)["logprobs"]["content"],
    }


def _tops(token: TokenLogprob) -> Json:
    return {top.bytes.decode("utf-8", "replace"): max(top.logprob, LEAST) for top in token.top}
