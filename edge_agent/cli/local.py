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
from edge_agent.cli.loaded import DEFAULT_PROFILE, Loaded, Say, distinct, limit_of, sampling_of
from edge_agent.cli.loading import plan_of
from edge_agent.config import Settings
from edge_agent.engine.client import EngineClient
from edge_agent.engine.keeper import State
from edge_agent.server.services import EngineHealth, HealthState

HEALTH: Mapping[State, HealthState] = {
    "ready": "ok",
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
    engine = EngineClient(planned.spec, say, stuck_after_s=settings.stuck_after)
    try:
        await engine.start()
        chat = _chat(settings, choice, path, engine)
        yield Loaded(
            chat,
            distinct(settings.alias, choice.name, path.stem, path.name, settings.model),
            path.stat().st_size,
            choice.card.profile if choice.card else DEFAULT_PROFILE,
            sampling_of(settings, choice.card),
            lambda: health_of(engine),
            planned.spec.n_parallel,
        )
    finally:
        await engine.close()


def _chat(settings: Settings, choice: Choice, path: Path, engine: EngineClient) -> ChatModel:
    vocab = Vocab.load(path)
    window = engine.info.n_ctx
    return ChatModel(
        settings.alias or choice.name,
        vocab,
        engine,
        ChatTemplate.of(vocab, settings.chat_template_file),
        # --parallel divides the window as llama-server does; without it a request may have it all
        window // settings.parallel if settings.parallel else window,
        sampling_of(settings, choice.card),
        limit_of(settings),
    )


def health_of(engine: EngineClient) -> EngineHealth:
    """The engine's status in the words of /health."""
    status = engine.status
    return EngineHealth(HEALTH[status.state], status.detail, status.restarts)
