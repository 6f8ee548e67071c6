"""A chat over a server that is not ours: who is there."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest

from edge_agent.chat.remote.link import Link
from edge_agent.chat.remote.probe import About, probe
from edge_agent.chat.remote.watch import Watch
from edge_agent.errors import (
    ConfigError,
    EngineCrashed,
    NotFound,
)

from .backend import Backend, running, text
from .talk import talk


@pytest.mark.parametrize(
    ("models", "props", "tokens", "about"),
    [
        ({"data": [{"id": "a/b", "owned_by": "vllm", "max_model_len": 4096}]}, None, 150,
         About("a/b", "vllm", 4096, 150)),
        ({"data": [{"id": "x.gguf", "owned_by": "llamacpp", "meta": {"n_ctx_train": 32768}}]},
         {"default_generation_settings": {"n_ctx": 2048}}, 150,
         About("x.gguf", "llama-server", 2048, 150)),
        ({"data": [{"id": "q", "owned_by": "edge-agent", "meta": {"n_ctx": 512}}]}, None, 0,
         About("q", "edge-agent", 512)),
        ({"object": "list", "data": [{"id": "z", "context_length": 9000}, {"id": "y"}]}, None, 0,
         About("z", "other", 9000)),
        ([{"id": "z"}], None, 0, About("z", "other")),
    ],
)  # fmt: skip
async def test_a_server_is_asked_what_it_is(
    models: Any, props: Any, tokens: int, about: About
) -> None:
    async with talk(text("a"), models=models, props=props, tokens=tokens) as here:
        assert await probe(here.link) == about
        assert here.chat.name == about.model


async def test_a_model_is_chosen_by_name_or_refused_with_the_list() -> None:
    listed = {"data": [{"id": "one", "aliases": ["uno"]}, {"id": "two"}]}
    async with talk(text("a"), models=listed) as here:
        assert (await probe(here.link, "two")).model == "two"
        assert (await probe(here.link, "uno")).model == "uno"
        with pytest.raises(NotFound, match="no model 'three'; it has: one, two"):
            await probe(here.link, "three")
    async with talk(text("a")) as here:
        here.backend.models = None
        assert await probe(here.link, "any") == About("any", "other")
        with pytest.raises(ConfigError, match="--backend-model"):
            await probe(here.link)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://h/v1", "http://", "http://h:x", ""])
def test_a_backend_is_an_http_url(url: str) -> None:
    with pytest.raises(ConfigError, match="--backend takes a URL"):
        Link(url)


async def test_credentials_of_a_url_are_not_told() -> None:
    link = Link("http://me:hidden@127.0.0.1:1")
    with pytest.raises(EngineCrashed) as caught:
        await probe(link)
    assert "hidden" not in str(caught.value) and "http://127.0.0.1:1/v1" in str(caught.value)
    await link.aclose()


async def test_a_watch_sees_a_server_go_and_come_back() -> None:
    with ExitStack() as stack:
        backend = stack.enter_context(running(Backend([text("a")])))
        link = Link(backend.url)
        watch = Watch(link)
        await watch.look()
        assert (watch.detail, watch.losses) == ("", 0)
        stack.close()
        await watch.look()
        await watch.look()
        assert "cannot be reached" in watch.detail and watch.losses == 1
        await link.aclose()
    with running(Backend([text("a")])) as backend:
        again = Link(backend.url)
        watch = Watch(again)
        watch.detail = "gone"
        await watch.look()
        assert watch.detail == ""
        backend.models = None  # it answers, if only that there is no such page
        await watch.look()
        assert watch.detail == ""
        await again.aclose()
