"""llama.cpp's grammar format GBNF, read: text in, rules out.

Format: grammars/README.md of llama.cpp, and llama_grammar_parser in src/llama-grammar.cpp for what
that leaves open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from edge_agent.errors import GrammarError

MAX_DEPTH = 30  # of parentheses; walking the rules must not exhaust Python's stack
MAX_MARKS = 2  # repetitions of a repetition
MAX_TIMES = 2000  # MAX_REPETITION_THRESHOLD: more is no limit as an upper bound, refused as a lower
LAST_CHAR = 0x10FFFF
SURROGATES = (0xD800, 0xDFFF)
ESCAPES: Mapping[str, str] = {"n": "\n", "r": "\r", "t": "\t", **{c: c for c in '\\"[]-'}}
HEX_DIGITS: Mapping[str, int] = {"x": 2, "u": 4, "U": 8}

TokenId: TypeAlias = Callable[[str], "int | None"]
Ranges: TypeAlias = "tuple[tuple[int, int], ...]"


@dataclass(frozen=True, slots=True)
class Chars:
    """One character of these ranges of code points, both ends included, in order."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Text:
    """These characters, at least one."""

    text: str


@dataclass(frozen=True, slots=True)
class Token:
    """One token of the vocabulary, or any other one."""

    id: int
    negated: bool


@dataclass(frozen=True, slots=True)
class Ref:
    """What the rule of this name stands for."""

    name: str


@dataclass(frozen=True, slots=True)
class Seq:
    """One after another; the empty text when there is none."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Alt:
    """One of them."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`part` between `least` and `most` times, None without end."""

    part: Node
    least: int
    most: int | None


Node: TypeAlias = "Chars | Text | Token | Ref | Seq | Alt | Repeat"


def parse(text: str, token_id: TokenId) -> dict[str, Node]:
    """The rules by name, one of them "root"; every name that is used is there.

    token_id: the id of a text that is one token. Raises GrammarError with the line at fault.
    """
    reader = _Reader(text, token_id)
    rules = reader.rules()
    for name in ("root", *(name for rule in rules.values() for name in names_in(rule))):
        if name not in rules:
            raise GrammarError(f"The grammar has no rule named {name!r}: define it with ::=.")
    return rules


def names_in(node: Node) -> Iterator[str]:
    """The rules a node refers to."""
    if isinstance(node, Ref):
        yield node.name
    for part in parts_of(node):
        yield from names_in(part)


def parts_of(node: Node) -> tuple[Node, ...]:
    """The nodes a node is made of."""
    if isinstance(node, (Seq, Alt)):
        return node.parts
    return (node.part,) if isinstance(node, Repeat) else ()


class _Reader:
    def __init__(self, text: str, token_id: TokenId) -> None:
        self._text = text
        self._token_id = token_id
        self._at = 0
        self._depth = 0

    def _fail(self, what: str) -> GrammarError:
        line = self._text.count("\n", 0, self._at) + 1
        near = self._text[self._at : self._at + 20]
        return GrammarError(f"Line {line} of the grammar: {what} at {near!r}.")

    @property
    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, text: str) -> bool:
        found = self._text.startswith(text, self._at)
        self._at += len(text) if found else 0
        return found

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._fail(f"expected {text}")

    def _run(self, belongs: Callable[[str], bool], what: str) -> str:
        start = self._at
        while self._next and belongs(self._next):
            self._at += 1
        if start == self._at:
            raise self._fail(f"expected {what}")
        return self._text[start : self._at]

    def _space(self, newlines: bool) -> None:
        while self._next and self._next in (" \t#\r\n" if newlines else " \t#"):
            if self._next == "#":
                while self._next and self._next not in "\r\n":
                    self._at += 1
            else:
                self._at += 1

    def rules(self) -> dict[str, Node]:
        rules: dict[str, Node] = {}
        self._space(True)
        while self._next:
            name = self._run(_in_name, "the name of a rule")
            self._space(False)
            self._expect("::=")
            self._space(True)
            rules[name] = self._alternatives(nested=False)
            if self._next and self._next not in "\r\n":
                raise self._fail("expected a new line")
            self._space(True)
        return rules

    def _alternatives(self, nested: bool) -> Node:
        found = [self._sequence(nested)]
        while self._take("|"):
            self._space(True)
            found.append(self._sequence(nested))
        return found[0] if len(found) == 1 else Alt(tuple(found))

    def _sequence(self, nested: bool) -> Node:
        parts: list[Node] = []
        while (part := self._item()) is not None:
            self._space(nested)
            for _ in range(MAX_MARKS):
                if self._next and self._next in "*+?{":
                    part = self._repeated(part, nested)
                    self._space(nested)
            parts.append(part)
        if self._next and self._next in "*+?{":
            raise self._fail("nothing to repeat")
        return parts[0] if len(parts) == 1 else Seq(tuple(parts))

    def _item(self) -> Node | None:
        if self._next == "(":
            return self._group()
        if self._next and self._next in "<!":
            return self._token()
        if self._take('"'):
            return self._literal()
        if self._take("["):
            return self._class()
        if self._take("."):
            return Chars(_complement(()))
        return Ref(self._run(_in_name, "a name")) if _in_name(self._next) else None

    def _group(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._fail(f"more than {MAX_DEPTH} parentheses inside one another")
        self._expect("(")
        self._space(True)
        inner = self._alternatives(nested=True)
        self._expect(")")
        self._depth -= 1
        return inner

    def _repeated(self, part: Node, nested: bool) -> Node:
        for mark, most in (("*", None), ("+", None), ("?", 1)):
            if self._take(mark):
                return Repeat(part, int(mark == "+"), most)
        self._expect("{")
        least = self._number(nested)
        most = self._most(nested) if self._take(",") else least
        self._expect("}")
        if least > MAX_TIMES:
            raise self._fail(f"a part must be repeated more than {MAX_TIMES} times")
        if most is not None and most < least:
            raise self._fail(f"a part is repeated at least {least} and at most {most} times")
        return Repeat(part, least, None if most is not None and most > MAX_TIMES else most)

    def _number(self, nested: bool) -> int:
        self._space(nested)
        digits = self._run(lambda c: c in "0123456789", "a number")
        self._space(nested)
        return int(digits[:9])

    def _most(self, nested: bool) -> int | None:
        self._space(nested)
        return None if self._next == "}" else self._number(nested)

    def _literal(self) -> Node:
        chars = []
        while not self._take('"'):
            chars.append(chr(self._char()))
        return Text("".join(chars)) if chars else Seq(())

    def _class(self) -> Node:
        negated = self._take("^")
        ranges = []
        while not self._take("]"):
            low = high = self._char()
            if self._next == "-" and self._text[self._at + 1 : self._at + 2] != "]":
                self._at += 1
                high = self._char()
            ranges.append((low, high))
        chars = _complement(ranges) if negated else _complement(_complement(ranges))
        if not chars:
            raise self._fail("a character class without a character ends")
        return Chars(chars)

    def _char(self) -> int:
        if not self._next:
            raise self._fail("a quote or bracket is not closed")
        char = self._next
        self._at += 1
        if char != "\\":
            return ord(char)
        kind = self._next
        self._at += 1
        if kind in ESCAPES and kind:
            return ord(ESCAPES[kind])
        return self._hex(HEX_DIGITS.get(kind, 0))

    def _hex(self, n: int) -> int:
        digits = self._text[self._at : self._at + n]
        if not n or len(digits) < n or not all(c in "0123456789abcdefABCDEF" for c in digits):
            raise self._fail("unknown escape sequence before")
        self._at += n
        code = int(digits, 16)
        if code > LAST_CHAR or SURROGATES[0] <= code <= SURROGATES[1]:
            raise self._fail(f"U+{code:X} is not a character before")
        return code

    def _token(self) -> Token:
        negated = self._take("!")
        end = self._text.find(">", self._at)
        name = self._text[self._at : end + 1]
        if end < 0 or not name.startswith("<") or "\n" in name:
            raise self._fail("expected a <token>")
        digits = name[2:-2]
        by_id = name[1] == "[" and name[-2] == "]" and digits.isascii() and digits.isdigit()
        token = int(digits[:9]) if by_id and len(digits) < 10 else self._token_id(name)
        if token is None:
            raise self._fail("there is no such token in this model's vocabulary,")
        self._at = end + 1
        return Token(token, negated)


def _in_name(char: str) -> bool:
    return bool(char) and char.isascii() and (char.isalnum() or char in "-_")


def _complement(ranges: Iterator[tuple[int, int]] | list[tuple[int, int]] | Ranges) -> Ranges:
    """The code points outside of the ranges, surrogates apart, as ranges in order."""
    gaps, start = [], 0
    for low, high in sorted([*ranges, SURROGATES]):
        if start < low:
            gaps.append((start, low - 1))
        start = max(start, high + 1)
    if start <= LAST_CHAR:
        gaps.append((start, LAST_CHAR))
    return tuple(gaps)
