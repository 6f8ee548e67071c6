"""From the events of a completion of plain text to llama-server's own objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from typing import Any

from edge_agent.chat.messages import Done, Event, Progress, Text, TokenLogprob
from edge_agent.server.completions.account import (
    progress_timings,
    prompt_progress,
    timings,
)
from edge_agent.server.completions.logprobs import token, with_top
from edge_agent.server.plain.replies import Fold

Json = dict[str, Any]
NO_SLOT = -1  # sequences have no lasting places here


@dataclass(frozen=True, slots=True)
class About:
    """What the object of one completion says of the request.

    n_prompt: tokens of its prompt. fields: those that are wanted, with their paths; all when empty.
    probabilities: whether they were asked for; drawn: those of the draw.
    """

    model: str
    prompt: str
    n_prompt: int
    settings: Json
    streams: bool = False
    tokens: bool = False
    probabilities: bool = False
    drawn: bool = False
    timings: bool = False
    progress: bool = False
    fields: tuple[str, ...] = ()


class NativeMachine:
    """The events of one continuation in, its objects out: each piece where they are streamed, and
    the last with all there is to say."""

    def __init__(self, about: About, index: int) -> None:
        self._about = about
        self._index = index
        self._fold = Fold()
        self._n = 0  # tokens told of
        self._so_far: Json = {}

    def feed(self, event: Event) -> list[Json]:
        self._fold.add(event)
        if isinstance(event, Done):
            return [self._last(event)]
        if not self._about.streams:
            return []
        if isinstance(event, Progress):
            return self._progress(event)
        return [self._piece(event)] if isinstance(event, Text) else []

    def _piece(self, event: Text) -> Json:
        self._n += len(event.logprobs)
        ids = [told.id for told in event.logprobs]
        return {**self._partial(event.text, ids), **self._so_far, **self._told(event.logprobs)}

    def _partial(self, text: str, ids: list[int]) -> Json:
        return {
            "index": self._index,
            "content": text,
            "tokens": ids,
            "stop": False,
            "id_slot": NO_SLOT,
            "tokens_predicted": self._n,
            "tokens_evaluated": self._about.n_prompt,
        }

    def _progress(self, event: Progress) -> list[Json]:
        if self._about.timings:
            self._so_far = {"timings": progress_timings(event)}
        if not self._about.progress or event.usage.completion_tokens:
            return []
        progress = {"prompt_progress": prompt_progress(event)}
        return [{**self._partial("", []), **self._so_far, **progress}]

    def _last(self, done: Done) -> Json:
        about, text = self._about, self._fold.text
        whole = {
            "index": self._index,
            "content": "" if about.streams else text,
            "tokens": list(done.ids) if about.tokens and not about.streams else [],
            "id_slot": NO_SLOT,
            "stop": True,
            "model": about.model,
            "tokens_predicted": done.usage.completion_tokens,
            "tokens_evaluated": done.usage.prompt_tokens,
            "generation_settings": about.settings,
            "prompt": about.prompt,
            "has_new_line": "\n" in text,
            "truncated": False,
            "stop_type": _stop_type(done),
            "stopping_word": done.stop or "",
            "tokens_cached": done.usage.cached_tokens,
            "timings": timings([done]),
        }
        if not about.streams:
            whole |= self._told(self._fold.logprobs)
        return picked(whole, about.fields) if about.fields else whole

    def _told(self, tokens: Sequence[TokenLogprob]) -> Json:
        if not self._about.probabilities:
            return {}
        shape = _drawn if self._about.drawn else with_top
        return {"completion_probabilities": [shape(told) for told in tokens]}


def _stop_type(done: Done) -> str:
    if done.stop is not None:
        return "word"
    return "limit" if done.reason == "length" else "eos"


def _drawn(told: TokenLogprob) -> Json:
    return {**_probability(told), "top_probs": [_probability(each) for each in told.top]}


def _probability(told: TokenLogprob) -> Json:
    shown = token(told)
    del shown["logprob"]
    return {**shown, "prob": exp(told.logprob)}


def picked(whole: Json, fields: Sequence[str]) -> Json:
    """The fields of these paths, `a/b` under that name; those that are not there are left out."""
    found: Json = {}
    for path in fields:
        value: Any = whole
        for part in path.split("/"):
            value = value.get(part, _MISSING) if isinstance(value, dict) else _MISSING
        if value is not _MISSING:
            found[path] = value
    return found


_MISSING = object()
