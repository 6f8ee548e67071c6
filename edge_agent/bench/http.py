"""A server as a subject: chat completions over HTTP, read as a client reads them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import httpx

from edge_agent.bench.lacking import Lacking
from edge_agent.bench.serving import Serving
from edge_agent.bench.stream import Stream
from edge_agent.bench.subject import Ask, Prompt
from edge_agent.bench.words import Words

Json = dict[str, Any]
READ_S = 3600.0  # a long prefill on a slow device sends nothing for minutes
PROBE_TOKENS = 32
LAST = "[DONE]"
COMPUTING = re.compile(r"^edge_agent:compute_seconds_total (\S+)$", re.M)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a server is told what the API of OpenAI has no word for.

    endless: body fields that keep the model from ending its text. unspeculated: fields that keep
    the server from drafting tokens.
    """

    endless: Mapping[str, Any]
    unspeculated: Mapping[str, Any]


class HttpSubject:
    """See `Subject`. Prompts are messages of words that are one token each."""

    def __init__(
        self, server: Serving, words: Words, dialect: Dialect, client: httpx.AsyncClient
    ) -> None:
        self._url = f"{server.url}/v1/chat/completions"
        self._server = server
        self._words = words
        self._dialect = dialect
        self._client = client
        self._template_tokens = 0  # that are computed with every message

    async def learn_template(self) -> None:
        """Find out how many tokens the server's template adds to a message, but for those that
        every prompt begins with and that are cached: a second probe finds them so."""
        for _ in range(2):
            self._template_tokens = 0
            body = {"messages": list(self.new(PROBE_TOKENS)), "max_tokens": 1}
            response = await self._client.post(self._url, json=body)
            await _check(response)
            usage = response.json()["usage"]
            cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
            self._template_tokens = max(0, usage["prompt_tokens"] - cached - PROBE_TOKENS)

    def new(self, n_tokens: int) -> Prompt:
        return self.text(self._words.draw(n_tokens - self._template_tokens))

    def text(self, text: str) -> Prompt:
        return ({"role": "user", "content": text},)

    def longer(self, prompt: Prompt, n_tokens: int) -> Prompt:
        *before, last = prompt
        return (*before, {**last, "content": last["content"] + self._words.draw(n_tokens)})

    def after(self, prompt: Prompt, written: Stream, n_tokens: int) -> Prompt:
        answer = {"role": "assistant", "content": written.text}
        return (*prompt, answer, {"role": "user", "content": self._words.draw(n_tokens)})

    async def follow(self, ask: Ask, stream: Stream) -> AsyncGenerator[Stream, None]:
        stream.template_tokens = self._template_tokens
        stream.began = time.perf_counter()
        try:
            async with aclosing(self._chunks(self._body(ask))) as chunks:
                async for chunk in chunks:
                    if _take(chunk, stream):
                        yield stream
        except httpx.HTTPError as error:
            raise Lacking(f"broke the connection: {error}") from error
        stream.ended = time.perf_counter()

    async def _chunks(self, body: Json) -> AsyncGenerator[Json, None]:
        async with self._client.stream("POST", self._url, json=body) as response:
            await _check(response)
            async for line in response.aiter_lines():
                data = line.removeprefix("data:").strip()
                if line.startswith("data:") and data != LAST:
                    yield json.loads(data)

    def _body(self, ask: Ask) -> Json:
        body: Json = {
            "messages": list(ask.prompt),
            "max_tokens": ask.n_tokens,
            "temperature": ask.temperature,
            "seed": ask.seed,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if ask.n > 1:
            body["n"] = ask.n
        if ask.speculate is False:
            body.update(self._dialect.unspeculated)
        if ask.schema is None:
            body.update(self._dialect.endless)
        else:
            body["response_format"] = {"type": "json_object", "schema": ask.schema}
        return body

    async def computing_s(self) -> float:
        response = await self._client.get(f"{self._server.url}/metrics")
        found = COMPUTING.search(response.text)
        if found is None:
            raise Lacking("does not tell how long it computed")
        return float(found[1])

    async def idle(self) -> None:
        """A server frees what a client left by itself; `cancel` measures how soon."""

    def pids(self) -> list[int]:
        return self._server.pids()


def http_client() -> httpx.AsyncClient:
    """A client for a server on this machine; a connection per request, as some servers close
    theirs after a while of silence."""
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.AsyncClient(timeout=httpx.Timeout(READ_S), limits=limits, trust_env=False)


async def _check(response: httpx.Response) -> None:
    if response.status_code != httpx.codes.OK:
        said = (await response.aread()).decode(errors="replace")
        raise Lacking(f"answers {response.status_code}: {said[:200]}")


def _take(chunk: Json, stream: Stream) -> bool:
    """Note what a chunk tells; whether it brought text."""
    if "error" in chunk:
        raise Lacking(f"broke off: {str(chunk['error'])[:200]}")
    choices = chunk.get("choices", ())
    stream.continuations.update(choice["index"] for choice in choices)
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    if text:
        stream.times.append(time.perf_counter())
        stream.weights.append(1.0)
        stream.text += text
    if usage := chunk.get("usage"):
        _note(usage, stream)
    return bool(text)


def _note(usage: Json, stream: Stream) -> None:
    stream.prompt_tokens = usage["prompt_tokens"]
    stream.cached_tokens = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    if stream.times:
        stream.weigh(usage["completion_tokens"])
