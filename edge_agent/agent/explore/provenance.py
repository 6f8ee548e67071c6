"""Where the addresses of a run came from, and which of them may be trusted."""

from __future__ import annotations

import re
from collections.abc import Iterable

from edge_agent.agent.explore.outbound import Outbound
from edge_agent.tools.canonical import canonical

URL = re.compile(r"(?:https?|library)://[^\s<>\"'”)\]}|\\^`]+")
ENDS = ".,;:!?)"  # signs of the sentence that an address stands in
LINKS_OF_PAGE = 5_000  # addresses remembered of one page's text


def urls_in(text: str) -> list[str]:
    """The addresses in a text, without the sentence's own signs behind them."""
    return [url.rstrip(ENDS) for url in URL.findall(text)]


class Provenance:
    """Where addresses came from: the user, a search, a page that was read, or nowhere.

    Only what the user or a search gave is known. What a page names is a guess like one of the
    model's own, but one that leads somewhere.
    """

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._linked: set[str] = set()
        self._given = ""
        self._guessed: set[str] = set()
        self._outbound = Outbound()

    def give(self, text: str) -> None:
        """What the user wrote: any address in it may be read and cited."""
        self._given = f"{self._given}\n{text.casefold()}"
        self._outbound.name(urls_in(text))
        self._outbound.note(text)

    def learn(self, urls: Iterable[str]) -> None:
        """A search returned these, or something known led there."""
        named = list(urls)
        self._known.update(canonical(url) for url in named)
        self._outbound.name(named)

    def link_from(self, text: str, urls: Iterable[str] = (), own: str = "") -> None:
        """A page or a tool of another kind says this and leads there; what it calls itself, its
        `own` address, is no proof of it."""
        linked = [*urls_in(text)[:LINKS_OF_PAGE], *urls]
        self._linked.update({canonical(url) for url in linked} - {canonical(own)})
        self._outbound.link(linked)
        self._outbound.note(text)

    def is_linked(self, url: str) -> bool:
        """Whether a page that was read names it."""
        return canonical(url) in self._linked

    def refusal(self, url: str) -> str:
        """Why an address must not be fetched because of what it may carry away, or ""."""
        query = url.partition("?")[2].partition("#")[0].casefold()
        given = bool(query) and query in self._given and self._was_given(canonical(url))
        return "" if given else self._outbound.refusal(url)

    def is_known(self, url: str) -> bool:
        key = canonical(url)
        return key in self._known or self._was_given(key)

    def _was_given(self, key: str) -> bool:
        bare = re.escape(key.partition("://")[2].casefold())
        pattern = rf"(?<![\w.-])(?:www\.)?{bare}(?![\w/-])"
        return bool(bare) and bool(re.search(pattern, self._given_plain()))

    def _given_plain(self) -> str:
        """The user's words, addresses in them spelled as they are compared."""
        return URL.sub(lambda match: canonical(match[0].rstrip(ENDS)) + " ", self._given)

    def guess(self, urls: Iterable[str]) -> None:
        """The model made these up, and something was there."""
        self._guessed.update(canonical(url) for url in urls)

    def is_guessed(self, url: str) -> bool:
        """Whether a page was read only because the model guessed its address."""
        named = self.is_known(url) or self.is_linked(url)
        return canonical(url) in self._guessed and not named
