"""One engine's HTTP interface: asked with its key, never followed elsewhere, failures as words."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any

import httpx

from edge_agent import __version__
from edge_agent.errors import FetchError, SearchBusy, SearchError
from edge_agent.tools.web.egress import HostList
from edge_agent.tools.web.target import target_of

USER_AGENT = f"edge-agent/{__version__}"
MAX_BYTES = 8 * 2**20
TIMEOUT_S = 15.0
SPENT = frozenset({402, 432, 433})  # the plan's queries are used up; 432 and 433 are Tavily's own
SPENT_S = 3600.0
_SHOWN = 160  # characters of an engine's own words


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of any status. headers: names in lower case."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class ApiClient:
    """HTTP to the search engines that a person configured, wherever they are.

    Redirects are not followed, so that no key goes where it was not meant to; proxies of the
    environment are not used. Failures are SearchErrors, marked transient where a second try may
    help.

    offline: only engines on this machine are asked. only: engines on these hosts, and no others.
    """

    def __init__(
        self,
        timeout_s: float = TIMEOUT_S,
        max_bytes: int = MAX_BYTES,
        offline: bool = False,
        only: HostList | None = None,
    ) -> None:
        self._max_bytes = max_bytes
        self._offline = offline
        self._only = only
        self._client = httpx.AsyncClient(
            timeout=timeout_s, headers={"User-Agent": USER_AGENT}, trust_env=False
        )

    async def __aenter__(self) -> ApiClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Reply:
        """One request."""
        host = url.partition("://")[2].partition("/")[0]
        if self._offline and not is_here(url):
            raise SearchError(f"{host} was not asked: the device is set to stay offline.")
        if self._only is not None and not is_listed(url, self._only):
            told = f"{host} was not asked: it is not on the list of hosts that may be reached"
            raise SearchError(f"{told}; name it in egress_hosts to permit it.")
        try:
            async with self._client.stream(
                method, url, headers=dict(headers), params=params, json=body
            ) as response:
                return Reply(response.status_code, response.headers, await self._read(response))
        except httpx.TimeoutException:
            raise SearchError(f"{host} did not answer in time.", transient=True) from None
        except httpx.ConnectError as error:
            why = f"{host} could not be reached ({_line(error) or 'nothing answers'})."
            raise SearchError(why, transient=True) from None
        except httpx.InvalidURL:
            raise SearchError(f"{url!r} is not a valid URL.") from None
        except httpx.HTTPError as error:
            why = f"{host} broke the connection off ({_line(error) or type(error).__name__})."
            raise SearchError(why, transient=True) from None

    async def _read(self, response: httpx.Response) -> bytes:
        data = bytearray()
        async for chunk in response.aiter_bytes():
            data += chunk
            if len(data) > self._max_bytes:
                told = f"{response.url.host} answered with more than {self._max_bytes >> 20} MiB."
                raise SearchError(told)
        return bytes(data)


class Endpoint:
    """One address of one engine.

    title: what a person calls the engine. key and variable: the API key and the environment
    variable that holds it, "" where there is none; the key never gets into a sentence.
    """

    def __init__(
        self, client: ApiClient, title: str, url: str, key: str = "", variable: str = ""
    ) -> None:
        self._client = client
        self._title = title
        self._url = url
        self._key = key
        self._variable = variable

    async def get(
        self, params: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Reply:
        """A GET that succeeded. Raises SearchError, SearchBusy when it is asked too often."""
        reply = await self._client.ask("GET", self._url, headers or {}, params)
        return self._checked(reply)

    async def post(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> Reply:
        """The same with a JSON body."""
        return self._checked(await self._client.ask("POST", self._url, headers, body=body))

    def json_of(self, reply: Reply) -> Mapping[str, Any]:
        """The object that a reply holds. Raises SearchError."""
        try:
            answer = json.loads(reply.data)
        except (ValueError, RecursionError):
            raise SearchError(f"{self._title} answered with something that is not JSON.") from None
        if not isinstance(answer, dict):
            raise SearchError(f"{self._title} answered with JSON of another form than its own.")
        return answer

    def _checked(self, reply: Reply) -> Reply:
        if 200 <= reply.status < 300:
            return reply
        said = self._said(reply)
        told = f"{self._title} answered {reply.status} ({said})"
        if reply.status == 429:
            raise SearchBusy(f"{told}: it is asked too often.", wait_s(reply.headers))
        if reply.status in SPENT:
            raise SearchBusy(f"{told}: the queries of its plan are used up.", SPENT_S)
        if reply.status in (401, 403) and self._variable:
            raise SearchError(f"{told}: check the key in {self._variable}.")
        if 300 <= reply.status < 400:
            raise SearchError(f"{told}: redirects are not followed, so give its final address.")
        raise SearchError(f"{told}.", transient=reply.status in (408, 425) or reply.status >= 500)

    def _said(self, reply: Reply) -> str:
        """The engine's own reason, without the key; else the status in words."""
        try:
            answer = json.loads(reply.data)
        except (ValueError, RecursionError):
            answer = None
        text = _line(_reason(answer))
        if self._key:
            text = text.replace(self._key, "…")
        try:
            return text[:_SHOWN] or HTTPStatus(reply.status).phrase
        except ValueError:
            return "an unknown status"


def wait_s(headers: Mapping[str, str]) -> float | None:
    """Seconds until an engine may be asked again, when it says so.

    Retry-After in seconds, or the first number of X-RateLimit-Reset, which is Brave's: seconds for
    each of its windows, the shortest first.
    """
    for name in ("retry-after", "x-ratelimit-reset"):
        found = re.match(r"\s*(\d+(?:\.\d+)?)\s*(?:,|$)", headers.get(name, ""))
        if found:
            return float(found[1])
    return None


def is_here(url: str) -> bool:
    """Whether an address is on this machine, by its spelling."""
    try:
        host = httpx.URL(url).host
    except httpx.InvalidURL:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_listed(url: str, hosts: HostList) -> bool:
    """Whether an address is on one of these hosts."""
    try:
        return target_of(url).place in hosts
    except FetchError:
        return False


def _reason(answer: Any) -> object:
    """Engines put their reason under one of these, some a level deeper."""
    for key in ("detail", "error", "message", "info"):
        if isinstance(answer, dict) and answer.get(key):
            return _reason(answer[key])
    return answer if isinstance(answer, str) else ""


def _line(value: object) -> str:
    return " ".join(str(value).split())
