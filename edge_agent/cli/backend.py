"""A model behind an OpenAI-compatible server named by --backend."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from edge_agent.catalog.card import Card
from edge_agent.catalog.catalog import Catalog
from edge_agent.chat.remote.chat import RemoteChat
from edge_agent.chat.remote.link import Link
from edge_agent.chat.remote.probe import About, probe
from edge_agent.chat.remote.watch import Watch
from edge_agent.cli.loaded import (
    DEFAULT_PROFILE,
    Loaded,
    Say,
    aliases_of,
    distinct,
    limit_of,
    sampling_of,
)
from edge_agent.config import Settings
from edge_agent.errors import ConfigError
from edge_agent.server.services import EngineHealth

ASSUMED_WINDOW = 8192  # tokens, where neither the server nor --ctx-size says
SMALL_B = 3.0  # billions of weights below which a model is better held to JSON
# Part of a model's name to the profile of its family, where no card has the name.
FAMILIES = (("agentcpm", "agentcpm"), ("dr-venus", "dr-venus"), ("qwen", "qwen"))
_SIZE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)b(?![a-z0-9])", re.IGNORECASE)


@asynccontextmanager
async def open_backend(url: str, settings: Settings, say: Say) -> AsyncIterator[Loaded]:
    """Ask the server what it is and speak to it from then on. Raises any of errors.py."""
    async with AsyncExitStack() as stack:
        link = Link(url, key_of(settings))
        stack.push_async_callback(link.aclose)
        about = await probe(link, settings.backend_model)
        window = _window(about, settings, say)
        say(
            f"{about.model} at {link.where} ({about.kind}), {window} tokens a request. Prompts go "
            "there whole and what it keeps of them is up to it; nothing is pruned or parked there, "
            "and tokens are estimated until it has counted them."
        )
        watch = Watch(link)
        watching = asyncio.create_task(watch.run())
        stack.push_async_callback(_ended, watching)
        card = card_for(about.model, Catalog.load(settings.models_dir))
        sampling = sampling_of(settings, card)
        limit = limit_of(settings)
        names = distinct(*aliases_of(settings), _short(about.model), about.model)
        yield Loaded(
            RemoteChat(link, about, window, sampling, say, limit, names[0]),
            names,
            None,
            card.profile if card else family_of(about.model),
            sampling,
            lambda: EngineHealth("failed" if watch.detail else "ok", watch.detail, watch.losses),
        )


async def _ended(watching: asyncio.Task[None]) -> None:
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching


def key_of(settings: Settings) -> str | None:
    """The key in the variable that --backend-key-env names. Raises ConfigError without one."""
    name = settings.backend_key_env
    if name is None:
        return None
    key = os.environ.get(name, "").strip()
    if not key:
        raise ConfigError(f"--backend-key-env: the environment has no {name}, or it is empty.")
    return key


def _window(about: About, settings: Settings, say: Say) -> int:
    known = [size for size in (about.n_ctx, settings.ctx_size) if size]
    if not known:
        say(
            f"The backend does not say how large its window is: {ASSUMED_WINDOW} tokens are "
            "assumed; --ctx-size says otherwise."
        )
    return min(known, default=ASSUMED_WINDOW)


def card_for(model: str, catalog: Catalog) -> Card | None:
    """The card whose name is part of the model's name, the longest of several."""
    plain = _plain(model)
    cards = [card for card in catalog.chat_models() if _plain(card.name) in plain]
    return max(cards, key=lambda card: len(card.name), default=None)


def family_of(model: str) -> str:
    """The profile of a model without a card, by its name."""
    sizes = [float(size) for size in _SIZE.findall(model)]
    if any(size < SMALL_B for size in sizes):
        return DEFAULT_PROFILE
    plain = _plain(model)
    return next((name for part, name in FAMILIES if _plain(part) in plain), DEFAULT_PROFILE)


def _short(model: str) -> str:
    """llama-server's models are called by the path of their file: its name is enough."""
    return Path(model).stem if model.endswith(".gguf") else model


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
