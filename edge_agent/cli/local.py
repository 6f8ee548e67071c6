"""A model on this device: its file, its engine process, its vocabulary."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_agent.catalog.choose import Choice
from edge_agent.chat.model import ChatModel
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.vocab import Vocab
from edge_agent.cli.loaded import (
    DEFAULT_PROFILE,
    Loaded,
    Say,
    aliases_of,
    distinct,
    limit_of,
    sampling_of,
)
from edge_agent.cli.loading import plan_of
from edge_agent.cli.watching import LocalDevice, meta_of
from edge_agent.config import Settings
from edge_agent.engine.client import EngineClient
from edge_agent.engine.keeper import State
from edge_agent.server.services import EngineHealth, HealthState

ASLEEP = "The model was unloaded because nobody asked; the next request loads it again."
HEALTH: Mapping[State, HealthState] = {
    "ready": "ok",
    "sleeping": "ok",
    "waking": "ok",
    "loading": "loading",
    "restarting": "restarting",
    "failed": "failed",
    "closed": "failed",
}


@dataclass(frozen=True, slots=True)
class Here:
    """A model file on the device, and why it is this one."""

    choice: Choice
    path: Path


@asynccontextmanager
async def open_local(here: Here, settings: Settings, say: Say) -> AsyncIterator[Loaded]:
    """Load the model. Raises any of errors.py."""
    choice, path = here.choice, here.path
    planned = plan_of(path, settings)
    say(f"Loading {path.name}: {planned.reason}.")
    engine = EngineClient(
        planned.spec,
        say,
        stuck_after_s=settings.stuck_after,
        sleep_after_s=None if settings.sleep_idle_seconds < 0 else settings.sleep_idle_seconds,
    )
    try:
        await engine.start()
        chat = _chat(settings, choice, path, engine)
        yield Loaded(
            chat,
            distinct(*aliases_of(settings), choice.name, path.stem, path.name, settings.model),
            path.stat().st_size,
            choice.card.profile if choice.card else DEFAULT_PROFILE,
            sampling_of(settings, choice.card),
            lambda: health_of(engine),
            planned.spec.n_parallel,
            chat.texts,
            LocalDevice(engine, path),
            meta_of(engine.info),
        )
    finally:
        await engine.close()


def _chat(settings: Settings, choice: Choice, path: Path, engine: EngineClient) -> ChatModel:
    vocab = Vocab.load(path)
    return ChatModel(
        next(iter(aliases_of(settings)), choice.name),
        vocab,
        engine,
        ChatTemplate.of(vocab, settings.chat_template_file, settings.chat_template),
        window_of(settings, engine.info.n_ctx),
        sampling_of(settings, choice.card),
        limit_of(settings),
    )


def window_of(settings: Settings, n_ctx: int) -> int:
    """Tokens one request may use: --parallel divides the cells as llama-server does; without it, or
    with --kv-unified, a request may have them all."""
    divided = settings.parallel and not settings.kv_unified
    return n_ctx // settings.parallel if divided else n_ctx


def health_of(engine: EngineClient) -> EngineHealth:
    """The engine's status in the words of /health."""
    status = engine.status
    if status.state == "sleeping":
        return EngineHealth("ok", ASLEEP, status.restarts)
    return EngineHealth(HEALTH[status.state], status.detail, status.restarts)
