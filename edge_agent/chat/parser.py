"""What a model writes, as it comes, to thoughts, text and tool calls: a pure machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from edge_agent.chat.calls import Call, NotACall, check_calls, read_calls
from edge_agent.chat.candidate import FENCE, FUNCTION_OPEN, Kind, opener_of, span_of
from edge_agent.chat.formats import CALL_CLOSE, CALL_OPEN, THINK_CLOSE, THINK_OPEN
from edge_agent.chat.live import LiveCall
from edge_agent.chat.messages import CallPiece, Text, Thought, TokenLogprob, ToolCall, ToolSpec

Piece: TypeAlias = Text | Thought | ToolCall | CallPiece
Span: TypeAlias = Callable[[int, int], tuple[TokenLogprob, ...]]

_KINDS: Mapping[str, Kind] = {CALL_OPEN: "call", FUNCTION_OPEN: "function", FENCE: "fence"}
_MALFORMED_SHOWN = 2_000  # characters


class Marks:
    """Finds the earliest, then longest, of some strings in a text that is still growing."""

    def __init__(self, marks: Sequence[str]) -> None:
        self._marks = sorted({m for m in marks if m}, key=len, reverse=True)
        self._longest = len(self._marks[0]) if self._marks else 0
        self._pattern = re.compile("|".join(map(re.escape, self._marks)) or r"(?!)")

    def find(self, text: str, end: bool) -> tuple[int, str]:
        """(position, mark); the mark is "" when there is none before the position.

        Text before the position belongs to no mark, whatever follows.
        """
        partial = len(text) if end else self._partial(text)
        match = self._pattern.search(text)
        if match and match.start() < partial:
            return match.start(), match[0]
        return partial, ""

    def _partial(self, text: str) -> int:
        """Where the longest tail begins that could still become a mark."""
        for size in range(min(self._longest - 1, len(text)), 0, -1):
            tail = text[-size:]
            if any(m.startswith(tail) and m != tail for m in self._marks):
                return len(text) - size
        return len(text)


def no_tokens(start: int, end: int) -> tuple[TokenLogprob, ...]:
    """For those who do not ask what a text is made of."""
    return ()


class StreamParser:
    """Feed it generated text in any pieces; the events are the same for every split.

    Calls are recognised only of `tools`. Stop strings end the answer's text; they do not apply
    inside thoughts and calls. Blanks around thoughts and calls are dropped. `tokens` says what a
    text or a call is made of, by where it starts and ends in all that was fed (in characters).
    live: calls are told while they are written, too. strict: see `ChatRequest.strict_calls`.
    """

    def __init__(
        self,
        tools: Mapping[str, ToolSpec],
        make_id: Callable[[], str],
        opens_thought: bool = False,
        stop: Sequence[str] = (),
        tokens: Span = no_tokens,
        live: bool = False,
        strict: bool = False,
    ) -> None:
        self._tokens = tokens
        self._is_live = live
        self._is_strict = strict
        self._live: LiveCall | None = None  # the call that is being written
        self._tools = tools
        self._make_id = make_id
        self._stop = frozenset(stop)
        self._marks = Marks([*stop, *((*_KINDS, CALL_CLOSE) if tools else ())])
        self._thought_end = Marks([THINK_CLOSE])
        self._held = ""  # not yet understood
        self._at = 0  # where that begins in all that was fed
        self._blank = ""  # blanks that may turn out to stand beside a call
        self._in_thought = opens_thought
        self._fresh = True  # nothing visible since the start, a thought or a call
        self._drop = opens_thought  # blanks at this place are not part of the text
        self._after_call = False
        self._malformed: list[str] = []
        self._events: list[Piece] = []
        self.broken = False  # a call was told in part that never became one
        self.stopped = ""  # the stop string that was met; nothing more will come

    @property
    def malformed(self) -> str | None:
        """Why calls could not be understood, each with its raw text; None when all were."""
        return "\n\n".join(self._malformed) or None

    def feed(self, text: str) -> list[Piece]:
        """What can be said for certain now."""
        return self._advance(text, end=False)

    def flush(self, cut: bool = False) -> list[Piece]:
        """The rest. `cut`: the text ended by force, so an unfinished call is no call."""
        return self._advance("", end=True, cut=cut)

    def _advance(self, text: str, end: bool, cut: bool = False) -> list[Piece]:
        self._held = "" if self.stopped else self._held + text
        while self._held and self._step(end, cut):
            pass
        if end:
            self._release()
        events, self._events = self._events, []
        return events

    def _step(self, end: bool, cut: bool) -> bool:
        """Understand one thing; False when more text is needed."""
        if self._in_thought:
            return self._think(end)
        at, mark = self._marks.find(self._held, end)
        first = self._first()
        if self._fresh and first <= at and self._held[first:]:
            lead = self._held[first:]
            if lead.startswith(THINK_OPEN):
                return self._open_thought(first)
            if THINK_OPEN.startswith(lead) and not end:
                return self._wait(first)
            if self._tools and lead[0] in "{[":
                return self._call("bare", first, end, cut)
        if mark in _KINDS and mark not in self._stop:
            return self._call(_KINDS[mark], at, end, cut)
        self._text(self._take(at))
        return self._pass(mark)

    def _first(self) -> int:
        return len(self._held) - len(self._held.lstrip())

    def _pass(self, mark: str) -> bool:
        """Go on behind a mark that opens nothing: a stop string, or a closing mark left over."""
        if mark in self._stop:
            self._release()
            self._held, self.stopped = "", mark
            return True
        spelled = self._take(len(mark))
        if not self._after_call:
            self._text(spelled)
        return bool(mark)

    def _take(self, length: int) -> str:
        taken, self._held = self._held[:length], self._held[length:]
        self._at += length
        return taken

    def _wait(self, at: int) -> bool:
        self._text(self._take(at))
        return False

    # thoughts

    def _open_thought(self, at: int) -> bool:
        self._take(at + len(THINK_OPEN))
        self._in_thought, self._drop, self._blank = True, True, ""
        return True

    def _think(self, end: bool) -> bool:
        at, mark = self._thought_end.find(self._held, end)
        piece = self._blank + self._take(at)
        self._take(len(mark))
        if self._drop:
            piece = piece.lstrip()
        spoken = piece.rstrip()
        self._blank = piece[len(spoken) :]
        if spoken:
            self._events.append(Thought(spoken))
            self._drop = False
        if mark or end:
            self._in_thought, self._drop, self._blank = False, True, ""
        return bool(mark)

    # text

    def _text(self, piece: str) -> None:
        """Visible text, but for the blanks at its end, which wait for what follows."""
        piece = self._blank + piece
        spoken = piece.rstrip()
        self._blank = piece[len(spoken) :]
        if spoken:
            self._say(spoken.lstrip() if self._drop else spoken)

    def _release(self) -> None:
        """Nothing follows the blank that waits, so it is text."""
        blank, self._blank = self._blank, ""
        self._say("" if self._drop else blank)

    def _say(self, text: str) -> None:
        """`text` is the last that was taken, but for the blank that waits behind it."""
        if text:
            end = self._at - len(self._blank)
            self._events.append(Text(text, logprobs=self._tokens(end - len(text), end)))
        if text.strip():
            self._fresh = self._drop = self._after_call = False

    # calls

    def _call(self, kind: Kind, at: int, end: bool, cut: bool) -> bool:
        self._text(self._take(at))
        span = span_of(kind, self._held, end)
        if self._is_live and kind == "call":
            self._grow(span.end if span else len(self._held))
        if span is None:
            return False
        if span is False:
            return self._no_call(kind)
        try:
            calls = read_calls(span.body, self._tools, complete=cut and not span.closed)
            if self._is_strict:
                check_calls(calls, self._tools)
        except NotACall as error:
            if error.meant or kind == "call":
                raw = self._held[: span.end][:_MALFORMED_SHOWN]
                self._malformed.append(f"{error} What was written: {raw}")
            return self._broken(span.end) if self._told_of else self._no_call(kind)
        self._events += self._told(calls, self._tokens(self._at, self._at + span.end))
        self._take(span.end)
        self._blank, self._drop, self._fresh, self._after_call = "", True, True, True
        return True

    def _grow(self, end: int) -> None:
        """Tell what is new of a call; its tokens so far go with the last piece."""
        self._live = self._live or LiveCall(self._tools, self._make_id)
        pieces = self._live.feed(self._held[len(CALL_OPEN) :])
        if pieces:
            tokens = self._tokens(self._at, self._at + end)
            self._events += [*pieces[:-1], replace(pieces[-1], logprobs=tokens)]

    def _told(self, calls: Sequence[Call], tokens: tuple[TokenLogprob, ...]) -> list[Piece]:
        """The calls, which these tokens are; the first under the id by which its pieces went, if
        any did."""
        live, self._live = self._live, None
        if live is not None and live.began:
            rest: list[Piece] = [*live.end(calls[0].arguments_json)]
            first = ToolCall(live.id, calls[0].name, live.whole(calls[0].arguments_json))
        else:
            rest = []
            first = ToolCall(self._make_id(), calls[0].name, calls[0].arguments_json)
        others = [ToolCall(self._make_id(), c.name, c.arguments_json) for c in calls[1:]]
        return [*rest, replace(first, logprobs=tokens), *others]

    @property
    def _told_of(self) -> bool:
        return self._live is not None and self._live.began

    def _broken(self, end: int) -> bool:
        """A call that went out in part and then was none: its text is not the answer's."""
        self._live, self._blank, self.broken = None, "", True
        self._take(end)
        return True

    def _no_call(self, kind: Kind) -> bool:
        """Keep the opening mark as text and read on behind it."""
        self._live = None
        self._text(self._take(len(opener_of(kind, self._held))))
        return True
