"""The connection to a backend: HTTP in, event data out, every failure one of ours."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from edge_agent import __version__
from edge_agent.chat.remote.faults import Fault, RefusedError, error_of, fault_of
from edge_agent.chat.remote.sse import SseReader
from edge_agent.errors import ConfigError, EdgeAgentError, EngineCrashed, EngineError

Json = Mapping[str, Any]
REFUSALS = (400, 422, 501)
BUSY = (429, 503)
FIRST_PAUSE_S = 0.5  # doubled each time, where the server names none


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: to connect, to the first byte (a long prompt, or a queue), between two pieces, for
    a short question; and how long in all a busy server is asked again."""

    connect_s: float = 10.0
    first_byte_s: float = 600.0
    between_s: float = 120.0
    short_s: float = 15.0
    busy_s: float = 30.0


class Link:
    """One backend. `base_url` ends in /v1 as a rule; without a path that is added.

    key: sent as a bearer token. Connections are kept and used again.
    """

    def __init__(
        self,
        base_url: str,
        key: str | None = None,
        patience: Patience | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        url = _checked(base_url)
        self._base = str(url).rstrip("/")
        self.where = str(url.copy_with(userinfo=b"")).rstrip("/")  # for messages: no credentials
        self._patience = patience or Patience()
        self._sleep = sleep
        headers = {"user-agent": f"edge-agent/{__version__}"}
        if key:
            headers["authorization"] = f"Bearer {key}"
        self._client = httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(
                self._patience.first_byte_s, connect=self._patience.connect_s, pool=None
            ),
            # a proxy of the environment is for the world, not for this machine and its neighbours
            trust_env=not _is_near(url.host),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def ask(self, path: str, body: Json | None = None, model: str = "") -> Any:
        """The JSON at a path below the base (GET, or POST of a body); "/x" is beside its /v1.

        Raises EngineError and its kin, NotFound (404).
        """
        root = self._base.removesuffix("/v1") if path.startswith("/") else f"{self._base}/"
        method = "GET" if body is None else "POST"
        request = self._client.build_request(
            method, root + path, json=body, timeout=self._patience.short_s
        )
        response = await self._sent(request)
        try:
            text = (await self._body(response)).decode("utf-8", "replace")
        finally:
            await response.aclose()
        if response.status_code != 200:
            raise error_of(fault_of(response.status_code, text), self.where, model)
        try:
            return json.loads(text)
        except ValueError:
            raise self._not_openai("text that is not JSON") from None

    async def stream(self, body: Json) -> AsyncGenerator[str, None]:
        """The data of each event of a chat completion. Closing it closes the response.

        Raises RefusedError where the request itself may be at fault, else EngineError and its kin.
        """
        response = await self._opened(body)
        try:
            kind = response.headers.get("content-type", "")
            if kind.startswith("application/json"):  # a server that does not stream
                yield (await self._body(response, limit=None)).decode("utf-8", "replace")
                yield "[DONE]"
                return
            if not kind.startswith("text/event-stream"):
                raise self._not_openai(kind or "something without a content type")
            reader = SseReader()
            async for data in self._pieces(response):
                for event in reader.feed(data):
                    yield event
            for event in reader.flush():
                yield event
        finally:
            await response.aclose()

    async def _opened(self, body: Json) -> httpx.Response:
        """The response whose body is to come, asked for again while the server is busy."""
        url = f"{self._base}/chat/completions"
        pause_s, waited_s = FIRST_PAUSE_S, 0.0
        while True:
            request = self._client.build_request("POST", url, json=body)
            response = await self._sent(request)
            if response.status_code == 200:
                return response
            fault = await self._fault(response)
            wait_s = pause_s if fault.retry_after_s is None else fault.retry_after_s
            waited_s += wait_s
            if not _may_pass(fault) or waited_s > self._patience.busy_s:
                raise self._error(fault, str(body["model"]))
            await self._sleep(wait_s)
            pause_s *= 2

    async def _fault(self, response: httpx.Response) -> Fault:
        try:
            text = (await self._body(response)).decode("utf-8", "replace")
        finally:
            await response.aclose()
        if response.is_redirect:
            text = f"it is elsewhere, at {response.headers.get('location', 'no address')}"
        return fault_of(response.status_code, text, response.headers.get("retry-after"))

    def _error(self, fault: Fault, model: str) -> Exception:
        error = error_of(fault, self.where, model)
        if fault.status in REFUSALS:
            return RefusedError(fault.message, fault.param, error)
        return error

    async def _sent(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._client.send(request, stream=True)
        except httpx.RemoteProtocolError:
            pass  # the server closed a kept connection just then: a new one is made
        except httpx.HTTPError as error:
            raise self._lost(error) from None
        try:
            return await self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise self._lost(error) from None

    async def _body(self, response: httpx.Response, limit: int | None = 16 * 1024 * 1024) -> bytes:
        body = b""
        async for data in self._pieces(response):
            body += data
            if limit is not None and len(body) > limit:
                break
        return body

    async def _pieces(self, response: httpx.Response) -> AsyncIterator[bytes]:
        pieces = response.aiter_bytes()
        wait_s = self._patience.first_byte_s
        while True:
            try:
                yield await asyncio.wait_for(anext(pieces), wait_s)
            except StopAsyncIteration:
                return
            except (asyncio.TimeoutError, httpx.TimeoutException):
                raise EngineCrashed(
                    f"The backend {self.where} has sent nothing for {wait_s:g} seconds: it may "
                    "hang or be overloaded."
                ) from None
            except httpx.HTTPError:
                raise EngineCrashed(
                    f"The connection to the backend {self.where} was lost in the middle of an "
                    "answer: send the request again."
                ) from None
            wait_s = self._patience.between_s

    def _lost(self, error: httpx.HTTPError) -> EdgeAgentError:
        """Nothing came back at all."""
        if isinstance(error, httpx.ConnectTimeout):
            why = f"does not answer within {self._patience.connect_s:g} seconds"
        elif isinstance(error, httpx.TimeoutException):
            why = "took the request and sent nothing back in time"
        elif isinstance(error, httpx.ConnectError):
            why = f"cannot be reached ({str(error) or 'no connection'})"
        else:
            why = f"closed the connection without an answer ({str(error) or type(error).__name__})"
        return EngineCrashed(f"The backend {self.where} {why}: start it, or correct --backend.")

    def _not_openai(self, what: str) -> EngineError:
        return EngineError(
            f"The backend {self.where} answered with {what}: --backend takes the base URL of an "
            "OpenAI-compatible server, such as http://127.0.0.1:8000/v1."
        )


def _checked(base_url: str) -> httpx.URL:
    try:
        url = httpx.URL(base_url.strip())
        good = url.scheme in ("http", "https") and bool(url.host) and not url.query
    except (httpx.InvalidURL, ValueError):
        good = False
    if not good:
        raise ConfigError(
            f"--backend takes a URL such as http://127.0.0.1:8000/v1, not {base_url!r}."
        )
    return url.copy_with(path="/v1") if url.path in ("", "/") else url


def _is_near(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or "." not in host or host.endswith(".local")


def _may_pass(fault: Fault) -> bool:
    """Whether asking again may help: not when a quota is used up."""
    return fault.status in BUSY and "quota" not in str(fault.body.get("code", ""))
