"""The wire types: OpenAI's chat completions with llama-server's additions, and agent runs.

Fields that are not named here are accepted in a chat unless they would change the answer
(`server.surface`), and refused in an agent run.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    Tag,
)

from edge_agent.server.wire import BOOL, LIST, NUMBER, OBJECT, TEXT, one_of

MAX_STOPS = 16
MAX_CHOICES = 128  # as OpenAI's; how many sequences there are is the engine's to say
MAX_BREAKERS = 16  # as the engine looks for


def _is_unicode(value: dict[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("holds half of a surrogate pair, which is not text") from None
    return value


JsonObject = Annotated[dict[str, Any], AfterValidator(_is_unicode)]


class Wire(BaseModel):
    """Types are taken at their word: "1" is not a number and NaN is not one either."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False, frozen=True)


class Part(Wire):
    """One part of a message's content; only type "text" can be served."""

    type: str
    text: str | None = None


Content = Annotated[
    Annotated[str, Tag(TEXT)] | Annotated[list[Part], Tag(LIST)],
    one_of("a string or a list of parts"),
]


class CalledFunction(Wire):
    name: str
    arguments: Annotated[
        Annotated[str, Tag(TEXT)] | Annotated[JsonObject, Tag(OBJECT)],
        one_of("a string holding a JSON object"),
    ] = "{}"


class WireToolCall(Wire):
    function: CalledFunction
    id: str = ""
    type: Literal["function"] = "function"


class WireMessage(Wire):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Content | None = None
    reasoning_content: str | None = None
    tool_calls: list[WireToolCall] | None = None
    tool_call_id: str | None = None
    name: str | None = None


class Function(Wire):
    name: str = Field(min_length=1)
    description: str | None = None
    parameters: JsonObject | None = None


class WireTool(Wire):
    type: str = "function"
    function: Function | None = None


class ChosenFunction(Wire):
    name: str


class ChosenTool(Wire):
    type: Literal["function"]
    function: ChosenFunction


WireToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag(TEXT)] | Annotated[ChosenTool, Tag(OBJECT)],
    one_of('"none", "auto", "required" or {"type": "function", "function": {"name": ...}}'),
]


class NamedSchema(Wire):
    model_config = ConfigDict(populate_by_name=True)

    name: str = ""
    schema_: JsonObject = Field(alias="schema")
    strict: bool | None = None


class ResponseFormat(Wire):
    """`schema` beside type "json_object" is llama-server's short form of "json_schema".

    type "regex" comes with `pattern` (or `regex`), "grammar" with `grammar`, which is GBNF or Lark.
    """

    model_config = ConfigDict(populate_by_name=True)

    type: Literal["text", "json_object", "json_schema", "regex", "grammar"]
    json_schema: NamedSchema | None = None
    schema_: JsonObject | None = Field(None, alias="schema")
    pattern: str | None = Field(None, validation_alias=AliasChoices("pattern", "regex"))
    grammar: str | None = None


class StreamOptions(Wire):
    include_usage: bool | None = None


Stop = Annotated[
    Annotated[str, Tag(TEXT)]
    | Annotated[list[Annotated[str, Field(min_length=1)]], Tag(LIST), Field(max_length=MAX_STOPS)],
    one_of("a string or a list of strings"),
]


Bias = Annotated[
    Annotated[float, Tag(NUMBER)] | Annotated[bool, Tag(BOOL)], one_of("a number, or false")
]
WireBias = Annotated[
    Annotated[dict[str, Bias], Tag(OBJECT)]
    | Annotated[list[list[int | float | str | bool]], Tag(LIST)],
    one_of("an object of token ids and biases, or a list of pairs"),
]


Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]


class Sampled(Wire):
    """What every route that generates takes; llama-server's names beside OpenAI's.

    Fields that are not named are looked at too: one that would change what is generated is refused.
    """

    model_config = ConfigDict(extra="allow")

    model: str | None = None

    temperature: float | None = Field(None, ge=0)
    top_p: float | None = Field(None, ge=0, le=1)
    top_k: int | None = Field(None, le=2**31 - 1)
    min_p: float | None = Field(None, ge=0, le=1)
    typical_p: float | None = Field(
        None, ge=0, le=1, validation_alias=AliasChoices("typical_p", "typ_p")
    )
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    repeat_penalty: float | None = Field(None, gt=0)
    repeat_last_n: int | None = Field(None, ge=-1, le=2**31 - 1)
    dry_multiplier: float | None = Field(None, ge=0)
    dry_base: float | None = Field(None, ge=1)
    dry_allowed_length: int | None = Field(None, ge=0, le=2**31 - 1)
    dry_penalty_last_n: int | None = Field(None, ge=-1, le=2**31 - 1)
    dry_sequence_breakers: list[str] | None = Field(None, max_length=MAX_BREAKERS)
    seed: int | None = Field(None, ge=-(2**63), lt=2**64)
    logit_bias: WireBias | None = None
    ignore_eos: bool | None = None

    stop: Stop | None = None
    max_tokens: int | None = None
    n_predict: int | None = Field(None, ge=-2, le=2**31 - 1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = Field(None, ge=1, le=MAX_CHOICES)
    grammar: str | None = None
    json_schema: JsonObject | None = None

    timings_per_token: bool | None = None
    return_progress: bool | None = None
    verbose: bool | None = None

    cache_prompt: bool | None = None
    speculative: bool | None = None
    priority: Literal["interactive", "background"] | None = None


class ChatBody(Sampled):
    """POST /v1/chat/completions.

    Beyond OpenAI's fields and llama-server's: `speculative` switches the drafting of tokens for
    this request, `pin_prompt` keeps the system message and the tools in the cache, `priority` lets
    interactive requests go first.
    """

    messages: list[WireMessage] = Field(min_length=1)

    tools: list[WireTool] | None = None
    tool_choice: WireToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None

    max_completion_tokens: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)

    reasoning_effort: Effort | None = None
    reasoning_format: Literal["auto", "none", "deepseek", "deepseek-legacy"] | None = None
    thinking_budget_tokens: int | None = Field(
        None,
        ge=-1,
        le=2**31 - 1,
        validation_alias=AliasChoices("thinking_budget_tokens", "reasoning_budget_tokens"),
    )
    thinking_budget_message: str | None = Field(
        None, validation_alias=AliasChoices("thinking_budget_message", "reasoning_budget_message")
    )
    chat_template_kwargs: JsonObject | None = None
    add_generation_prompt: bool | None = None
    continue_final_message: bool | None = None

    pin_prompt: bool | None = None
