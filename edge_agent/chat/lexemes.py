"""GBNF's rules as a grammar for llguidance, over the same texts.

GBNF reads characters. llguidance reads lexemes, of which the longest wins: `word ::= [a-z]*`
followed by "b" could never end. So what can be read as one lexeme without changing the texts is,
because that makes masks some hundred times faster to compute; the rest is taken apart, down to
single characters where need be, which no longer one can swallow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import or_

from edge_agent.chat.gbnf import Alt, Chars, Node, Ref, Repeat, Seq, Text, Token, names_in, parts_of
from edge_agent.chat.spell import Speller, Spelling
from edge_agent.engine.core.constraint import check_size

MAX_LEXEMES = 500  # beyond, all are taken apart unseen


def to_lark(rules: Mapping[str, Node]) -> str:
    """llguidance's Lark text for rules that start at "root". Raises GrammarError."""
    check_size(len(rules))
    plan = _Plan(rules)
    while clashes := plan.clashes():
        plan.open(clashes)
    return plan.text()


@dataclass(frozen=True, slots=True)
class _Edges:
    """What a node can begin and end with, as bits of lexemes, and whether it can be empty."""

    first: int = 0
    last: int = 0
    empty: bool = True


@dataclass(slots=True)
class _Lexemes:
    """The lexemes in use, each a bit, and which may stand behind which."""

    bits: dict[Node, int] = field(default_factory=dict)
    behind: list[int] = field(default_factory=list)

    def bit(self, node: Node) -> int:
        if node not in self.bits:
            self.bits[node] = 1 << len(self.bits)
            self.behind.append(0)
        return self.bits[node]

    def follow(self, last: int, first: int) -> None:
        for i in _indices(last):
            self.behind[i] |= first


def _indices(bits: int) -> Iterator[int]:
    while bits:
        yield (bits & -bits).bit_length() - 1
        bits &= bits - 1


class _Plan:
    """Which rules and literals are lexemes; `opened` ones are taken apart."""

    def __init__(self, rules: Mapping[str, Node]) -> None:
        self._rules = rules
        self._regular = _regular(rules)
        self._speller = Speller(rules, self._regular)
        self._opened: set[Node] = {Ref(name) for name in rules if name not in self._regular}

    def open(self, nodes: set[Node]) -> None:
        self._opened |= nodes

    def _parts(self, node: Node) -> Node:
        """What an opened leaf is made of."""
        if isinstance(node, Ref):
            return self._rules[node.name]
        assert isinstance(node, Text)
        return Seq(tuple(Chars(((ord(c), ord(c)),)) for c in node.text))

    def _rules_in_use(self) -> list[str]:
        """The opened rules that can be reached, from root on."""
        found: dict[str, None] = {}
        todo = ["root"] if Ref("root") in self._opened else []
        while todo:
            name = todo.pop()
            if name not in found:
                found[name] = None
                todo += [n for n in names_in(self._rules[name]) if Ref(n) in self._opened]
        return list(found)

    def clashes(self) -> set[Node]:
        """Lexemes that could swallow what the grammar means to be read otherwise."""
        if "root" in self._regular:
            return set()  # one lexeme, beside no other
        lexemes, start = self._lexemes()
        nodes = list(lexemes.bits)
        if len(nodes) > MAX_LEXEMES:
            return {node for node in nodes if isinstance(node, Ref) or _is_long(node)}
        spelt = [self._speller.spelling(node) for node in nodes]
        found = {
            node
            for node, spelling, behind in zip(nodes, spelt, lexemes.behind, strict=True)
            if spelling.longer & _first_of(spelt, behind)
        }
        for group in _side_by_side(spelt, lexemes.behind, start):
            members = list(_indices(group))
            for i in members:
                if spelt[i].is_long and any(
                    j != i and spelt[i].first & spelt[j].first for j in members
                ):
                    found.add(nodes[i])
        return found

    def _lexemes(self) -> tuple[_Lexemes, int]:
        """The lexemes of the opened rules, and those that can begin a text."""
        names = self._rules_in_use()[::-1]  # those that are used before those that use them
        lexemes, edges = _Lexemes(), {name: _Edges(empty=False) for name in names}
        changed = True
        while changed:
            changed = False
            for name in names:
                new = self._edges(self._rules[name], lexemes, edges)
                changed, edges[name] = changed or new != edges[name], new
        return lexemes, edges["root"].first

    def _edges(self, node: Node, lexemes: _Lexemes, rules: Mapping[str, _Edges]) -> _Edges:
        if isinstance(node, Ref) and node.name in rules:
            return rules[node.name]
        if isinstance(node, Text) and node in self._opened:
            node = self._parts(node)
        if isinstance(node, (Ref, Text, Chars, Token)):
            bit = lexemes.bit(node)
            return _Edges(bit, bit, self._speller.spelling(node).empty)
        parts = [self._edges(part, lexemes, rules) for part in parts_of(node)]
        if isinstance(node, Seq):
            return reduce(lambda a, b: _in_turn(a, b, lexemes), parts, _Edges())
        if isinstance(node, Repeat):
            return _repeated(parts[0], node, lexemes)
        return _Edges(
            reduce(or_, (p.first for p in parts)),
            reduce(or_, (p.last for p in parts)),
            any(p.empty for p in parts),
        )

    def text(self) -> str:
        """The grammar; `r` are rules, `R` lexemes."""
        opened = self._rules_in_use()
        closed = self._lexemes_in_use(opened)
        rules = {name: f"r{i}" for i, name in enumerate(opened)}
        lexemes = {name: f"R{i}" for i, name in enumerate(closed)}
        names = {**lexemes, **rules}
        lines = [f"start: {names['root']}"]
        lines += [f"{rules[name]}: {self._lark(self._rules[name], names)}" for name in opened]
        lines += [f"{lexemes[name]}: {_lark(self._rules[name], lexemes)}" for name in closed]
        return "\n".join([*lines, ""])

    def _lexemes_in_use(self, opened: list[str]) -> list[str]:
        """The rules that are lexemes, and those that these are made of."""
        named = [n for name in opened for n in names_in(self._rules[name])] or ["root"]
        todo = [name for name in named if Ref(name) not in self._opened]
        found: dict[str, None] = {}
        while todo:
            name = todo.pop()
            if name not in found:
                found[name] = None
                todo += names_in(self._rules[name])
        return list(found)

    def _lark(self, node: Node, names: Mapping[str, str]) -> str:
        return _lark(self._taken_apart(node), names)

    def _taken_apart(self, node: Node) -> Node:
        """The node with its opened literals as single characters."""
        if isinstance(node, Text) and node in self._opened:
            return self._parts(node)
        if isinstance(node, Repeat):
            return replace(node, part=self._taken_apart(node.part))
        if isinstance(node, (Seq, Alt)):
            return replace(node, parts=tuple(self._taken_apart(part) for part in node.parts))
        return node


def _lark(node: Node, names: Mapping[str, str]) -> str:
    if isinstance(node, Ref):
        return names[node.name]
    if isinstance(node, Text):
        return json.dumps(node.text, ensure_ascii=False)
    if isinstance(node, Chars):
        return f"/[{''.join(f'{_code(a)}-{_code(b)}' for a, b in node.ranges)}]/"
    if isinstance(node, Token):
        return f"<[{'^' if node.negated else ''}{node.id}]>"
    parts = [_lark(part, names) for part in parts_of(node)]
    if isinstance(node, Repeat):
        most = "" if node.most is None else node.most
        return '""' if most == 0 else f"({parts[0]}){{{node.least},{most}}}"
    return f"({(' | ' if isinstance(node, Alt) else ' ').join(parts)})" if parts else '""'


def _code(point: int) -> str:
    return f"\\x{{{point:X}}}"


def _regular(rules: Mapping[str, Node]) -> set[str]:
    """The rules that neither refer to themselves, by whatever way, nor hold tokens."""
    used = {name: set(names_in(node)) for name, node in rules.items() if not _has_token(node)}
    found: set[str] = set()
    while new := {name for name, names in used.items() if name not in found and names <= found}:
        found |= new
    return found


def _is_long(node: Node) -> bool:
    return isinstance(node, Text) and len(node.text) > 1


def _has_token(node: Node) -> bool:
    return isinstance(node, Token) or any(_has_token(part) for part in parts_of(node))


def _in_turn(a: _Edges, b: _Edges, lexemes: _Lexemes) -> _Edges:
    lexemes.follow(a.last, b.first)
    first = a.first | b.first if a.empty else a.first
    last = a.last | b.last if b.empty else b.last
    return _Edges(first, last, a.empty and b.empty)


def _repeated(part: _Edges, node: Repeat, lexemes: _Lexemes) -> _Edges:
    if node.most is None or node.most > 1:
        lexemes.follow(part.last, part.first)
    return _Edges(part.first, part.last, part.empty or node.least == 0)


def _first_of(spelt: list[Spelling], lexemes: int) -> int:
    return reduce(or_, (spelt[i].first for i in _indices(lexemes)), 0)


def _side_by_side(spelt: list[Spelling], behind: list[int], start: int) -> set[int]:
    """Sets of lexemes that can be awaited at one place: at least those that are.

    All that is awaited stands behind what was just read, or behind what could be read so as well.
    """
    groups = {start}
    for one in spelt:
        alike = (j for j, other in enumerate(spelt) if one is other or one.first & other.first)
        groups.add(reduce(or_, (behind[j] for j in alike), 0))
    return groups
