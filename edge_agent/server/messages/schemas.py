"""The wire types of Anthropic's Messages API.

What a block holds depends on its `type`; the types that cannot be served are refused by name when
they are read (`turns.py`). Fields that are not named here are refused where they would change the
answer (`server.surface`), and ignored otherwise.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, Tag

from edge_agent.server.completions.schemas import MAX_STOPS, JsonObject, Wire
from edge_agent.server.wire import LIST, TEXT, one_of

BIGGEST = 2**31 - 1


class Block(Wire):
    """One block: text, thinking, redacted_thinking, tool_use or tool_result."""

    type: str
    text: str | None = None
    thinking: str | None = None
    id: str | None = None
    name: str | None = None
    input: JsonObject | None = None
    tool_use_id: str | None = None
    content: Content | None = None
    is_error: bool | None = None
    cache_control: Any = None


Content = Annotated[
    Annotated[str, Tag(TEXT)] | Annotated[list[Block], Tag(LIST)],
    one_of("a string or a list of blocks"),
]


class Turn(Wire):
    role: Literal["user", "assistant", "system"]
    content: Content


class Tool(Wire):
    """A tool of the caller's; Anthropic's own (`type` web_search_..., bash_...) are not here."""

    name: str = Field(min_length=1)
    type: str | None = None
    description: str | None = None
    input_schema: JsonObject | None = None
    cache_control: Any = None


class Choice(Wire):
    """`name` belongs to type "tool"."""

    type: Literal["auto", "any", "none", "tool"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class Thinking(Wire):
    """`adaptive` leaves it to the model; `display` "omitted" keeps the thought back."""

    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: int | None = Field(None, ge=1, le=BIGGEST)
    display: Literal["summarized", "omitted"] | None = None


class OutputFormat(Wire):
    model_config = ConfigDict(populate_by_name=True)

    type: Literal["json_schema"]
    schema_: JsonObject = Field(alias="schema")


class OutputConfig(Wire):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: OutputFormat | None = None


class MessagesBody(Wire):
    """POST /v1/messages, and /v1/messages/count_tokens, which ignores what the answer is like.

    Any `model` is taken for the one that is served, since clients of Anthropic's API know only
    Claude's names; `agent` is the agent over it. Beyond Anthropic's fields there is `seed`, and
    `max_tokens` may be left out. `cache_control` at the system text or a tool keeps them in the
    cache, on disk too. `output_format` is what `output_config.format` was called before.
    """

    model_config = ConfigDict(extra="allow")

    messages: list[Turn]
    model: str | None = None
    max_tokens: int | None = Field(None, ge=1, le=BIGGEST)
    system: Content | None = None
    stop_sequences: list[Annotated[str, Field(min_length=1)]] | None = Field(
        None, max_length=MAX_STOPS
    )
    stream: bool | None = None
    temperature: float | None = Field(None, ge=0)
    top_p: float | None = Field(None, ge=0, le=1)
    top_k: int | None = Field(None, le=BIGGEST)
    seed: int | None = Field(None, ge=-(2**63), lt=2**64)
    tools: list[Tool] | None = None
    tool_choice: Choice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    output_format: OutputFormat | None = None


Block.model_rebuild()
