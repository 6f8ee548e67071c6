"""What an address would carry out of a run: its words must not leave in a query or a path.

A page may ask the model to fetch an address with what it knows written into it. So an address that
was put together, and was not found as it stands, carries nothing but what addresses of its host
were seen to carry, and small change such as a page number.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from urllib.parse import parse_qsl, unquote_plus, urlsplit

SMALL_CHANGE = re.compile(r"[a-z0-9_-]{0,8}")  # too short to carry more than a number or a switch
MOST_SMALL = 3  # such parameters in one address
MOST_WORDS = 3  # of the run in the path of an address whose host only a page has named
MOST_OPAQUE = 24  # letters and digits in a row, in such a path
MAX_WORDS = 300_000  # of a run that are remembered
_WORD = re.compile(r"[^\W_]{3,}")
_OPAQUE = re.compile(rf"[A-Za-z0-9+/=]{{{MOST_OPAQUE},}}")


class Outbound:
    """Knows the addresses and the words of one run."""

    def __init__(self) -> None:
        self._words: set[str] = set()
        self._carried: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)  # by host
        self._paths: defaultdict[str, set[str]] = defaultdict(set)
        self._named: set[str] = set()  # hosts of the user and of searches
        self._linked: set[str] = set()  # hosts that pages named

    def note(self, text: str) -> None:
        """Words of the run: what the user wrote, what was read."""
        if len(self._words) < MAX_WORDS:
            self._words.update(_words(text))

    def name(self, urls: Iterable[str]) -> None:
        """The user or a search gave these."""
        for url in urls:
            self._named.add(self._seen(url))

    def link(self, urls: Iterable[str]) -> None:
        """A page or a tool of another kind has these in its text."""
        for url in urls:
            self._linked.add(self._seen(url))

    def _seen(self, url: str) -> str:
        host, path, pairs = _parts(url)
        self._carried[host].update(pairs)
        self._paths[host].add(path)
        return host

    def refusal(self, url: str) -> str:
        """Why an address must not be fetched, or "". One without a scheme is taken as the web's."""
        tidy = url.strip().strip("<>\"'`").strip()
        if tidy.lower().startswith("library://"):
            return ""
        host, path, pairs = _parts(tidy if "://" in tidy else f"https://{tidy}")
        new = [pair for pair in pairs if pair not in self._carried.get(host, ())]
        if len(new) > MOST_SMALL or any(not self._is_small(part) for pair in new for part in pair):
            return "its query was made up and may carry words of this run away"
        if host not in self._named and self._carries(host, path):
            return (
                "it was made up for a host that only a page names, and may carry words of this run"
            )
        return ""

    def _is_small(self, text: str) -> bool:
        plain = text.casefold()
        return bool(SMALL_CHANGE.fullmatch(plain)) and not self._words & _words(plain)

    def _carries(self, host: str, path: str) -> bool:
        """Whether a host that pages named, or one below it, is told something."""
        if host not in self._linked:
            return any(_is_beside(host, linked) for linked in self._linked)
        if path in self._paths[host]:
            return False
        words = self._words & _words(path)
        return len(words) > MOST_WORDS or bool(_OPAQUE.search(path))


def _parts(url: str) -> tuple[str, str, set[tuple[str, str]]]:
    """Host, path, and the parameters of a URL; a fragment is not sent."""
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").removeprefix("www.").rstrip(".")
    except ValueError:
        return "", "", {("", url)}
    return host, unquote_plus(parts.path).rstrip("/"), set(_pairs(parts.query))


def _pairs(query: str) -> Iterable[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return [("", query)]


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORD.findall(text)}


def _is_beside(host: str, linked: str) -> bool:
    """Whether a name lies below another one, or beside it under the same owner's."""
    rest = host.partition(".")[2]
    owned = "." in rest and len(rest.partition(".")[0]) > 3  # and not co.uk or com.au
    return host.endswith(f".{linked}") or (owned and rest == linked.partition(".")[2])
