"""A URL taken apart once, so that what is checked is what is asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass

import httpx

from edge_agent.errors import FetchError
from edge_agent.tools.web.address import ip_of

MAX_URL_CHARS = 8_192
_PORTS = {"http": 80, "https": 443}
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_SHOWN_CHARS = 200  # of a URL that an error quotes


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes.

    url: without fragment, as it is shown. host: in lower case, without brackets and last dot; an
    address in its usual spelling, whatever the URL's. path: with the query, percent-encoded.
    """

    url: str
    scheme: str
    host: str
    port: int
    path: str
    is_address: bool

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port

    @property
    def netloc(self) -> str:
        """`host` or `host:port`, as the Host header has it."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"

    @property
    def origin(self) -> str:
        """`scheme://host:port`, one spelling for each server."""
        return f"{self.scheme}://{self.netloc}"


def target_of(url: str) -> Target:
    """Take a URL apart. Raises FetchError: invalid, or refused when it carries credentials."""
    text = url.strip()
    if len(text) > MAX_URL_CHARS:
        raise _invalid(text, f"it is longer than {MAX_URL_CHARS} characters")
    parsed = _parsed(text)
    if parsed.scheme not in _PORTS:
        raise _invalid(text, "only http and https can be read")
    if "\\" in text.partition("?")[0]:
        raise _invalid(text, "there is a backslash in it")
    if parsed.userinfo or "@" in parsed.netloc.decode("ascii", "replace"):
        message = f"{parsed.host} was refused: a URL must not carry a user name or password."
        raise FetchError(message, url, "refused")
    host, is_address = _host(parsed, text)
    port = parsed.port or _PORTS[parsed.scheme]
    return Target(str(parsed), parsed.scheme, host, port, parsed.raw_path.decode(), is_address)


def joined(current: Target, location: str) -> Target:
    """Where a redirect leads. Raises FetchError."""
    if not location:
        raise FetchError(f"{current.url} redirects to nowhere.", current.url, "unreachable")
    try:
        return target_of(str(httpx.URL(current.url).join(location)))
    except (httpx.InvalidURL, ValueError):
        message = f"{current.url} redirects to {_shown(location)}, which is not a URL."
        raise FetchError(message, current.url, "invalid") from None


def _parsed(text: str) -> httpx.URL:
    try:
        parsed = httpx.URL(text).copy_with(fragment=None)
        bad = not 0 < (parsed.port or 80) < 65_536 or parsed.port == 0
    except (httpx.InvalidURL, ValueError, TypeError):
        bad = True
    if bad:
        raise _invalid(text, "it is not a valid URL")
    return parsed


def _host(parsed: httpx.URL, text: str) -> tuple[str, bool]:
    name = parsed.raw_host.decode("ascii").strip("[]").lower()
    name = name.removesuffix(".")
    try:
        ip = ip_of(name)
    except ValueError:
        raise _invalid(text, "its host is not an address") from None
    if ip is not None:
        return str(ip), True
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise _invalid(text, "it names no host")
    return name, False


def _invalid(text: str, why: str) -> FetchError:
    return FetchError(f"{_shown(text)} cannot be read: {why}.", text, "invalid")


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…")
