"""What the routes stand on: made by the composition root, handed to `create_app`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypedDict

from edge_agent.agent.records import Agent
from edge_agent.agent.runs.service import AgentService
from edge_agent.chat.messages import Chat
from edge_agent.engine.params import SamplingParams
from edge_agent.errors import NotFound, NotSupported

HealthState: TypeAlias = Literal["ok", "loading", "restarting", "failed"]
AUTO_NAMES = frozenset({"", "auto", "default"})


class ServedModel(TypedDict):
    """One line of /v1/models: size of the file in bytes, n_ctx in tokens, None where not known."""

    name: str
    aliases: Sequence[str]
    size: int | None
    n_ctx: int | None


@dataclass(frozen=True, slots=True)
class EngineHealth:
    """How the engine process is; `restarts` counts its crashes since the server started."""

    state: HealthState = "ok"
    detail: str = ""
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a chat request gets where it is silent; max_tokens None is the rest of the window."""

    sampling: SamplingParams = field(default_factory=SamplingParams)
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a route may use.

    models: what /v1/models lists; the aliases of the entry named `chat.name` are served too.
    api_keys: empty lets everyone in. heartbeat_s: pause between comments that keep a stream open.
    max_body_bytes: the largest request body that is read. runs: those of `agent` that outlive
    their requests; None where there are none.
    """

    chat: Chat
    agent: Agent
    models: Sequence[ServedModel] = ()
    health: Callable[[], EngineHealth] = EngineHealth
    api_keys: tuple[str, ...] = ()
    defaults: Defaults = field(default_factory=Defaults)
    heartbeat_s: float = 15.0
    max_body_bytes: int = 64 * 1024 * 1024
    runs: AgentService | None = None

    def kept_runs(self) -> AgentService:
        """`runs`; raises NotSupported where there are none."""
        if self.runs is None:
            raise NotSupported("This server keeps no runs: wait for the answer of /agent/run.")
        return self.runs

    def names(self) -> tuple[str, ...]:
        """The served model's name, then its aliases."""
        mine = (model for model in self.models if model["name"] == self.chat.name)
        aliases = (alias for model in mine for alias in model["aliases"])
        return tuple(dict.fromkeys((self.chat.name, *aliases)))

    def check_model(self, model: str | None) -> None:
        """Raises NotFound unless `model` means the one that is served."""
        names = self.names()
        if model is not None and model not in AUTO_NAMES and model not in names:
            raise NotFound(f"There is no model {model!r} here: use {' or '.join(names)}, or auto.")
