"""What the routes stand on: made by the composition root, handed to `create_app`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypedDict

from edge_agent.agent.records import Agent
from edge_agent.agent.runs.service import AgentService
from edge_agent.chat.messages import Chat
from edge_agent.chat.text import TextModel
from edge_agent.engine.params import SamplingParams
from edge_agent.errors import NotFound, NotSupported
from edge_agent.server.device.device import Device, Elsewhere
from edge_agent.server.held import HeldChat
from edge_agent.server.research.model import AgentChat, agent_names
from edge_agent.server.responses.desk import Desk
from edge_agent.server.text.embedder import EmbeddingModel
from edge_agent.server.tools.bench import Bench
from edge_agent.tools.mcp.desk import ApprovalDesk

HealthState: TypeAlias = Literal["ok", "loading", "restarting", "failed"]
ReasoningFormat: TypeAlias = Literal["auto", "none", "deepseek", "deepseek-legacy"]
AUTO_NAMES = frozenset({"", "auto", "default"})
NO_EMBEDDINGS = (
    "There is no embedding model here: run `edge-agent pull all-minilm-l6-v2`, then start the "
    "server again."
)


class _Named(TypedDict):
    name: str
    aliases: Sequence[str]
    size: int | None
    n_ctx: int | None


class ServedModel(_Named, total=False):
    """One line of /v1/models: size of the file in bytes, n_ctx in tokens, None where not known.

    also: names it answers to beside its aliases. capabilities: what it can be asked for.
    meta: more that is known of it.
    """

    also: Sequence[str]
    tags: Sequence[str]
    capabilities: Sequence[str]
    meta: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class EngineHealth:
    """How the engine process is; `restarts` counts its crashes since the server started."""

    state: HealthState = "ok"
    detail: str = ""
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a chat request gets where it is silent; max_tokens None is the rest of the window.

    thinking: as in ChatRequest. reasoning_format: llama-server's, see --reasoning-format.
    """

    sampling: SamplingParams = field(default_factory=SamplingParams)
    max_tokens: int | None = None
    thinking: bool | None = None
    reasoning_format: ReasoningFormat = "auto"


@dataclass(frozen=True, slots=True)
class Door:
    """Who may come in, beside the keys.

    origins: web pages that may ask: "*" is all of them, "localhost" those of this machine.
    per_key: most requests of one API key at once; 0 is no limit. own_names_only: only requests that
    name this machine by its address or as localhost are answered, so that a page elsewhere cannot
    have its own name point here.
    """

    origins: tuple[str, ...] = ("localhost",)
    per_key: int = 0
    own_names_only: bool = False


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a route may use.

    models: what /v1/models lists; the aliases of the entry named `chat.name` are served too.
    api_keys: empty lets everyone in. heartbeat_s: pause between comments that keep a stream open.
    max_body_bytes: the largest request body that is read; body_s: seconds that it may take, see
    `Intake`. runs: those of `agent` that outlive
    their requests; None where there are none. texts: the model's text side, None at a backend.
    verbose: replies carry `__verbose`, as those of llama-server --verbose. embeddings: the model
    of /v1/embeddings and /v1/rerank, None where it could not be had. responses: where those of
    /v1/responses are kept; None keeps none. tools: those that clients on this machine may run
    themselves, None where that is off. approvals: calls that wait for a person's word.
    """

    chat: Chat
    agent: Agent
    models: Sequence[ServedModel] = ()
    health: Callable[[], EngineHealth] = EngineHealth
    api_keys: tuple[str, ...] = ()
    defaults: Defaults = field(default_factory=Defaults)
    heartbeat_s: float = 15.0
    max_body_bytes: int = 64 * 1024 * 1024
    body_s: float = 30.0
    runs: AgentService | None = None
    texts: TextModel | None = None
    verbose: bool = False
    door: Door = field(default_factory=Door)
    device: Device = field(default_factory=Elsewhere)
    shows_metrics: bool = False
    shows_slots: bool = False
    embeddings: EmbeddingModel | None = None
    responses: Desk | None = None
    tools: Bench | None = None
    approvals: ApprovalDesk | None = None

    def chat_of(self, holder: str) -> Chat:
        """The model that is loaded, whose generations have names that only their holder knows."""
        return HeldChat(self.chat, holder) if holder else self.chat

    def chat_named(self, model: str | None, holder: str) -> Chat:
        """The agent for a name of its own, else the model that is loaded, whatever it is called."""
        mine = self.names()
        is_agent = model in agent_names(mine) and model not in mine
        return AgentChat(self.agent, self.chat, holder) if is_agent else self.chat_of(holder)

    def agent_model(self) -> ServedModel:
        """The agent as /v1/models lists it; a model whose name it has goes before it."""
        first, *others = [n for n in agent_names(self.names()) if n not in self.names()]
        return ServedModel(
            name=first,
            aliases=others,
            size=None,
            n_ctx=self.chat.n_ctx,
            capabilities=("research",),
        )

    def kept_responses(self) -> Desk:
        """`responses`; raises NotSupported where none are kept."""
        if self.responses is None:
            raise NotSupported("This server keeps no responses: send the whole conversation.")
        return self.responses

    def embedding_model(self) -> EmbeddingModel:
        """`embeddings`; raises NotSupported where there is none."""
        if self.embeddings is None:
            raise NotSupported(NO_EMBEDDINGS)
        return self.embeddings

    def text_model(self) -> TextModel:
        """`texts`; raises NotSupported where there is none."""
        if self.texts is None:
            raise NotSupported("The model is on another server: there is only chat with it here.")
        return self.texts

    def kept_runs(self) -> AgentService:
        """`runs`; raises NotSupported where there are none."""
        if self.runs is None:
            raise NotSupported("This server keeps no runs: wait for the answer of /agent/run.")
        return self.runs

    def names(self) -> tuple[str, ...]:
        """The served model's name, then its aliases."""
        mine = (model for model in self.models if model["name"] == self.chat.name)
        aliases = (name for m in mine for name in (*m["aliases"], *m.get("also", ())))
        return tuple(dict.fromkeys((self.chat.name, *aliases)))

    def check_model(self, model: str | None) -> None:
        """Raises NotFound unless `model` means the one that is served."""
        names = self.names()
        if model is not None and model not in AUTO_NAMES and model not in names:
            raise NotFound(f"There is no model {model!r} here: use {' or '.join(names)}, or auto.")
