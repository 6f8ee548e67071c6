"""robots.txt as RFC 9309 has it: what a site lets a robot read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

PRODUCT = "edge-agent"  # the token by which a site addresses us
MAX_BYTES = 500 * 1024  # RFC 9309, 2.5: at least so much of the file is read
MAX_RULES = 10_000
MAX_DELAY_S = 60.0
_UNRESERVED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Rule:
    """A path pattern, in which `*` stands for anything and a last `$` for the end."""

    allow: bool
    pattern: str

    def matches(self, path: str) -> bool:
        """Without backtracking, whatever a stranger wrote as his pattern."""
        ends = self.pattern.endswith("$")
        first, *rest = (self.pattern[:-1] if ends else self.pattern).split("*")
        if not path.startswith(first):
            return False
        at = len(first)
        for i, piece in enumerate(rest):
            if ends and i == len(rest) - 1:
                return len(path) - len(piece) >= at and path.endswith(piece)
            at = path.find(piece, at)
            if at < 0:
                return False
            at += len(piece)
        return not ends or at == len(path)


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for us on one site. delay_s: between two requests, when the site asks for one."""

    rules: tuple[Rule, ...] = ()
    delay_s: float = 0.0
    sitemaps: tuple[str, ...] = ()

    def allows(self, path: str) -> bool:
        """Whether a path (with its query) may be read: the longest pattern decides."""
        plain = _plain(path)
        if plain == "/robots.txt":
            return True
        found = [rule for rule in self.rules if rule.matches(plain)]
        if not found:
            return True
        return max(found, key=lambda rule: (len(rule.pattern), rule.allow)).allow


@dataclass(slots=True)
class _Group:
    agents: list[str] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    delay_s: float = 0.0
    closed: bool = False  # a rule was read: the next user-agent line begins another group


def parse(text: str, product: str = PRODUCT) -> Rules:
    """The rules for one product, or for everybody when none names it."""
    groups, sitemaps = _groups(text)
    own = [group for group in groups if product in group.agents]
    chosen = own or [group for group in groups if "*" in group.agents]
    rules = tuple(rule for group in chosen for rule in group.rules)[:MAX_RULES]
    delay_s = max((group.delay_s for group in chosen), default=0.0)
    return Rules(rules, delay_s, tuple(sitemaps))


def _groups(text: str) -> tuple[Sequence[_Group], list[str]]:
    groups, sitemaps = [_Group()], list[str]()
    for line in text.lstrip("\ufeff").splitlines():
        name, colon, value = line.partition("#")[0].partition(":")
        name, value = name.strip().lower(), value.strip()
        if not colon:
            continue
        if name == "user-agent":
            if groups[-1].closed:
                groups.append(_Group())
            groups[-1].agents.append(value.partition("/")[0].strip().lower())
        elif name == "sitemap":
            sitemaps.append(value)
        else:
            _add(groups[-1], name, value)
    return groups, sitemaps


def _add(group: _Group, name: str, value: str) -> None:
    if name in ("allow", "disallow"):
        group.closed = True
        if value:  # an empty Disallow forbids nothing
            group.rules.append(Rule(name == "allow", _plain(value)))
    elif name == "crawl-delay":
        group.closed = True
        if re.fullmatch(r"\d{1,6}(?:\.\d{1,3})?", value):
            group.delay_s = min(float(value), MAX_DELAY_S)


def _plain(path: str) -> str:
    """One spelling of a path: what needs no escape has none, all else has one."""
    escaped = "".join(
        char if char.isascii() else "".join(f"%{byte:02X}" for byte in char.encode("utf-8"))
        for char in path.encode("utf-8", "replace").decode()
    )
    return _ESCAPE.sub(_unescaped, escaped)


def _unescaped(match: re.Match[str]) -> str:
    char = chr(int(match[1], 16))
    return char if char in _UNRESERVED else f"%{match[1].upper()}"
