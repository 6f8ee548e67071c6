"""The conversation of a run as token ids, and what each span of them is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from edge_agent.agent.memory.items import Item, ItemKind
from edge_agent.chat.edits import merged, prune, without
from edge_agent.chat.messages import Chat, ChatRequest, Completion, Message, Prompt, TokenRange
from edge_agent.engine.params import Usage

FRAME_TOKENS = 16  # that a template puts around a reply, at most

SpanKind: TypeAlias = Literal["system", "task", "turn", "thought", "frame"] | ItemKind


@dataclass(frozen=True, slots=True)
class Span:
    """Tokens start to stop of the prompt's ids. turn: of the model, from 1; 0 is the opening.

    A turn's replies are of that turn too. "turn" is what the model wrote apart from its thought,
    "frame" what the template put around a reply.
    """

    kind: SpanKind
    start: int
    stop: int
    turn: int
    item: Item | None = None

    def __len__(self) -> int:
        return self.stop - self.start


class Transcript:
    """Prompt n and what was generated after it are a prefix of prompt n + 1, unless spans are cut.

    spans: tile the ids of the present prompt and of what was generated after it; empty where the
    chat works without ids. items: those that the next prompt would hold. reprefilled_tokens: prompt
    tokens computed so far that an earlier turn had computed already; 0 where that is not known.
    """

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._prompt: Prompt | None = None
        self._completion: Completion | None = None
        self._replies: tuple[Message, ...] = ()
        self._items: tuple[Item, ...] = ()
        self._new = 0  # tokens of the prompt that no turn has computed before
        self._held: tuple[Item, ...] = ()  # in the prompt
        self.spans: tuple[Span, ...] = ()
        self.turn = 0
        self.reprefilled_tokens = 0

    # appending

    def start(self, request: ChatRequest, items: Sequence[Item] = ()) -> Prompt:
        """Begin, or begin again, from messages that tell of these items."""
        unread = self.reply_tokens if self._prompt is not None else None
        self._prompt = prompt = self._chat.prepare(request)
        self._new = len(prompt.ids) if unread is None else unread
        self._completion, self._replies, self._items, self.turn = None, (), (), 0
        self._held = tuple(items)
        head, whole = prompt.params.pin, len(prompt.ids)
        system = [Span("system", 0, head, 0)] if head else []
        self.spans = (*system, *self._tiled("task", head, whole, items))
        return prompt

    def add(
        self, completion: Completion, replies: tuple[Message, ...], items: Sequence[Item] = ()
    ) -> None:
        """Note what the model wrote and what is answered to it, which is made of these items.

        Added once more before the next prompt, only the replies count, behind those there are.
        """
        if self.unanswered:
            self._replies, self._items = (*self._replies, *replies), (*self._items, *items)
            return
        self._completion, self._replies, self._items = completion, replies, tuple(items)
        if self._prompt is None:
            return
        self.turn += 1
        self.reprefilled_tokens += self._computed_again(completion.done.usage)
        self.spans += self._written(self._prompt, completion)

    def go_on(self, request: ChatRequest, more: Item | None = None) -> Prompt:
        """The prompt of the next turn; raises ContextOverflow when it no longer fits.

        more: told at the end of the last reply.
        """
        assert self._prompt and self._completion, "go_on comes after start and add"
        replies = self._replies if more is None else _with(self._replies, more.text)
        items = self._items if more is None else (*self._items, more)
        longer = self._chat.extend(self._prompt, self._completion, replies, request)
        begun = len(self._prompt.ids) + len(self._completion.done.ids)
        self._prompt, self._completion = longer, None
        self._replies, self._items, self._held = (), (), (*self._held, *items)
        self._new = len(longer.ids) - begun + 1  # the last generated token was never computed
        self.spans += self._tiled("frame", begun, len(longer.ids), items)
        return longer

    # folding

    async def cut(self, spans: Iterable[Span], move: bool) -> None:
        """Leave spans of the present prompt out of it. move: the engine moves what is behind them
        down; else that is computed again."""
        assert self._prompt is not None, "there is nothing to cut before start"
        chosen = [*spans]
        ranges = merged((span.start, span.stop) for span in chosen)
        self._held = _less(self._held, [s.item for s in chosen if s.item is not None])
        self.spans = tuple(_shifted(self.spans, ranges))
        if move:
            self._prompt, _ = await prune(self._chat, self._prompt, ranges, self._completion)
        else:
            self._prompt = without(self._prompt, ranges)

    # accounts

    @property
    def prompt(self) -> Prompt | None:
        """Of the present turn."""
        return self._prompt

    @property
    def unanswered(self) -> bool:
        """Whether a turn was added that no prompt has answered yet."""
        return self._prompt is not None and self._completion is not None

    @property
    def pending(self) -> tuple[Item, ...]:
        """The items of the replies that no prompt holds yet."""
        return self._items

    @property
    def items(self) -> tuple[Item, ...]:
        """See the class."""
        return (*self._held, *self._items)

    @property
    def reply_tokens(self) -> int:
        """Tokens of the replies that no prompt holds yet, rather too many than too few."""
        return sum(self._chat.count(message.content) + FRAME_TOKENS for message in self._replies)

    @property
    def used(self) -> int:
        """Tokens of the next prompt as it would be now."""
        if self._prompt is None or self._completion is None:
            return 0
        if self._prompt.ids:
            begun = len(self._prompt.ids) + len(self._completion.done.ids)
        else:  # a server elsewhere counts what is only estimated here
            usage = self._completion.done.usage
            begun = (usage.prompt_tokens or self._prompt.n_tokens) + usage.completion_tokens
        return begun + self.reply_tokens

    def _computed_again(self, usage: Usage) -> int:
        if self._prompt is None or not self._prompt.ids:  # a server elsewhere may not say
            return 0
        return max(0, usage.prompt_tokens - usage.cached_tokens - self._new)

    # spans

    def _written(self, prompt: Prompt, completion: Completion) -> tuple[Span, ...]:
        start = len(prompt.ids)
        if not start:
            return ()
        ids = prompt.ids + completion.done.ids
        whole = replace(prompt, ids=ids)
        place = self._chat.locate(whole, [completion.thought], start)[0]
        return _spans("turn", start, len(ids), self.turn, [(place, "thought", None)])

    def _tiled(
        self, rest: SpanKind, start: int, stop: int, items: Sequence[Item]
    ) -> tuple[Span, ...]:
        """Spans of the prompt from start to stop: the items found there, and the rest."""
        if self._prompt is None or not self._prompt.ids:
            return ()
        places = self._chat.locate(self._prompt, [item.text for item in items], start)
        found = [(place, item.kind, item) for place, item in zip(places, items, strict=True)]
        return _spans(rest, start, stop, self.turn, found)


def _spans(
    rest: SpanKind,
    start: int,
    stop: int,
    turn: int,
    found: Sequence[tuple[TokenRange | None, SpanKind, Item | None]],
) -> tuple[Span, ...]:
    spans: list[Span] = []
    for place, kind, item in found:
        if place is not None:
            spans += [Span(rest, start, place[0], turn), Span(kind, *place, turn, item)]
            start = place[1]
    return tuple(span for span in (*spans, Span(rest, start, stop, turn)) if len(span))


def _shifted(spans: Iterable[Span], cut: Sequence[TokenRange]) -> Iterable[Span]:
    """The spans that are left, or what is left of them, at their new places."""
    for span in spans:
        start, stop = (end - _cut_before(cut, end) for end in (span.start, span.stop))
        if start < stop:
            yield replace(span, start=start, stop=stop)


def _less(held: Sequence[Item], gone: Iterable[Item]) -> tuple[Item, ...]:
    left = [*held]
    for item in gone:
        if item in left:
            left.remove(item)  # the first that is equal: copies go from the oldest on
    return tuple(left)


def _cut_before(cut: Sequence[TokenRange], end: int) -> int:
    return sum(min(stop, end) - start for start, stop in cut if start < end)


def _with(replies: tuple[Message, ...], text: str) -> tuple[Message, ...]:
    last = replies[-1]
    return (*replies[:-1], replace(last, content=f"{last.content}\n{text}"))
