"""A model that answers, wherever it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from edge_agent.catalog.card import Card
from edge_agent.chat.messages import Chat
from edge_agent.chat.text import TextModel
from edge_agent.config import Settings
from edge_agent.engine.params import SamplingParams
from edge_agent.server.device.device import Device, Elsewhere
from edge_agent.server.services import EngineHealth

DEFAULT_PROFILE = "plain"  # of a model without a card: constrained JSON works with every model
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Loaded:
    """names: by which clients may ask for it, the first its own. size: bytes of its file, None
    where there is none here. profile: of the agent over it. sampling: of a request that says
    nothing. health: how it is, in the words of /health. n_parallel: requests side by side.
    texts: the model's text side, None where it is elsewhere. device: the engine, for those who
    watch it. meta: what is known of the model's size."""

    chat: Chat
    names: tuple[str, ...]
    size: int | None
    profile: str
    sampling: SamplingParams
    health: Callable[[], EngineHealth]
    n_parallel: int = 4
    texts: TextModel | None = None
    device: Device = field(default_factory=Elsewhere)
    meta: Mapping[str, int | None] = field(default_factory=dict)


def sampling_of(settings: Settings, card: Card | None) -> SamplingParams:
    """The settings over what a card says."""
    base = SamplingParams().with_(**(card.sampling if card else {}))
    seed = None if settings.seed == -1 else settings.seed  # -1 is llama-server's word for any
    return base.with_(temperature=settings.temp, seed=seed)


def limit_of(settings: Settings) -> int | None:
    """Most tokens of an answer where a request names no limit; None is the window."""
    return settings.n_predict if settings.n_predict > 0 else None


def aliases_of(settings: Settings) -> tuple[str, ...]:
    """The names that were given, in the order of the alphabet: the first is the model's id, as in
    llama-server."""
    given = (settings.alias or "").split(",")
    return tuple(sorted({name.strip() for name in given if name.strip()}))


def distinct(*names: str | None) -> tuple[str, ...]:
    """The names that are one, each once, in order."""
    return tuple(dict.fromkeys(name for name in names if name))
