"""How a regular part of a grammar is spelt: what it begins with, and what could make it longer."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from edge_agent.chat.gbnf import Alt, Chars, Node, Ref, Repeat, Seq, Text, Token, parts_of

MAX_PLACES = 400  # of characters in one lexeme
MAX_STEPS = 20_000  # of reading on from a set of places
MAX_DEPTH = 60  # of rules in rules


@dataclass(frozen=True, slots=True)
class Spelling:
    """Sets of characters, as bits.

    first: those a text can begin with. longer: those by which a whole text can go on to become (a
    part of) a longer one. empty: the empty text is one. is_long: one has two characters or more.
    """

    first: int
    longer: int
    empty: bool
    is_long: bool


class _TooLargeError(Exception):
    """Not worth, or not safe, to be looked at closely."""


@dataclass(slots=True)
class _Part:
    """A part's places for characters: where it can begin and end, as bits of places."""

    first: int = 0
    last: int = 0
    empty: bool = True


@dataclass(slots=True)
class _Places:
    """Glushkov's automaton: one state for each place of a character (Glushkov, The abstract theory
    of automata, 1961), made deterministic to see what can follow a whole text."""

    chars: list[int] = field(default_factory=list)
    next: list[int] = field(default_factory=list)

    def add(self, chars: int) -> _Part:
        if len(self.chars) == MAX_PLACES:
            raise _TooLargeError
        self.chars.append(chars)
        self.next.append(0)
        bit = 1 << (len(self.chars) - 1)
        return _Part(bit, bit, False)

    def link(self, last: int, first: int) -> None:
        for i in _ones(last):
            self.next[i] |= first

    def chars_of(self, places: int) -> int:
        chars = 0
        for i in _ones(places):
            chars |= self.chars[i]
        return chars

    def reach(self, places: int) -> int:
        following = 0
        for i in _ones(places):
            following |= self.next[i]
        return following

    def longer(self, part: _Part) -> int:
        """What can come behind a whole text."""
        chars = self.chars_of(part.first) if part.empty else 0
        todo, seen, n_steps = list(self._steps(part.first)), set[int](), 0
        while todo:
            n_steps += 1
            if n_steps > MAX_STEPS:
                raise _TooLargeError
            if (state := todo.pop()) in seen:
                continue
            seen.add(state)
            following = self.reach(state)
            if state & part.last:
                chars |= self.chars_of(following)
            todo += self._steps(following)
        return chars

    def _steps(self, places: int) -> Iterator[int]:
        """The sets of places that one character leads to, out of these."""
        for char in _ones(self.chars_of(places)):
            yield sum(1 << i for i in _ones(places) if self.chars[i] >> char & 1)


class Speller:
    """Spellings of the leaves of a grammar. A character's bit stands for all that the grammar
    never tells from it."""

    def __init__(self, rules: Mapping[str, Node], regular: set[str]) -> None:
        self._rules = rules
        self._regular = regular
        edges = {edge for node in rules.values() for edge in _boundaries(node)}
        self._edges = sorted(edges)
        self._all = (1 << len(self._edges)) - 1
        self._known: dict[Node, Spelling] = {}

    def spelling(self, leaf: Node) -> Spelling:
        """Of a Chars, Text or Token, or a Ref to a regular rule."""
        if leaf not in self._known:
            self._known[leaf] = self._look(leaf)
        return self._known[leaf]

    def _look(self, leaf: Node) -> Spelling:
        if isinstance(leaf, Token):  # read as a whole, beside characters
            return Spelling(self._all if leaf.negated else 0, 0, False, False)
        try:
            places = _Places()
            part = self._part(leaf, places, 0)
            first = places.chars_of(part.first)
            return Spelling(first, places.longer(part), part.empty, any(places.next))
        except _TooLargeError:
            return Spelling(self._all, self._all, True, True)

    def _mask(self, low: int, high: int) -> int:
        start, stop = bisect_left(self._edges, low), bisect_left(self._edges, high + 1)
        return (1 << stop) - (1 << start)

    def _part(self, node: Node, places: _Places, depth: int) -> _Part:
        if depth > MAX_DEPTH:
            raise _TooLargeError
        if isinstance(node, Ref):
            return self._part(self._rules[node.name], places, depth + 1)
        if isinstance(node, Chars):
            return places.add(sum(self._mask(low, high) for low, high in node.ranges))
        if isinstance(node, Text):
            return _chain((places.add(self._mask(ord(c), ord(c))) for c in node.text), places)
        if isinstance(node, Repeat):
            return self._repeat(node, places, depth)
        parts = (self._part(part, places, depth + 1) for part in parts_of(node))
        if isinstance(node, Seq):
            return _chain(parts, places)
        assert isinstance(node, Alt)
        whole = _Part(empty=False)
        for part in parts:
            whole = _Part(
                whole.first | part.first, whole.last | part.last, whole.empty | part.empty
            )
        return whole

    def _repeat(self, node: Repeat, places: _Places, depth: int) -> _Part:
        part = self._part(node.part, places, depth + 1)
        if node.most is None or node.most > 1:  # a bound is left out: that only adds texts
            places.link(part.last, part.first)
        return _Part(part.first, part.last, part.empty or node.least == 0)


def _chain(parts: Iterator[_Part], places: _Places) -> _Part:
    whole = _Part()
    for part in parts:
        places.link(whole.last, part.first)
        whole = _Part(
            whole.first | part.first if whole.empty else whole.first,
            whole.last | part.last if part.empty else part.last,
            whole.empty and part.empty,
        )
    return whole


def _boundaries(node: Node) -> Iterator[int]:
    """Where runs of characters that are treated alike begin."""
    if isinstance(node, Chars):
        for low, high in node.ranges:
            yield from (low, high + 1)
    if isinstance(node, Text):
        for char in node.text:
            yield from (ord(char), ord(char) + 1)
    for part in parts_of(node):
        yield from _boundaries(part)


def _ones(bits: int) -> Iterator[int]:
    while bits:
        yield (bits & -bits).bit_length() - 1
        bits &= bits - 1
