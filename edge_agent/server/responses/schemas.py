"""The wire types of OpenAI's responses: what a request holds, and the items of its input."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from edge_agent.server.completions.schemas import Effort, JsonObject, Wire
from edge_agent.server.wire import LIST, OBJECT, TEXT, one_of

ITEMS = ("message", "function_call", "function_call_output", "reasoning", "item_reference")
ID = 256  # characters; what we make are shorter
MOST_METADATA = 16  # as OpenAI's


def _get(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else getattr(value, key, None)


def _kind(value: object) -> str | None:
    """Which kind an item is of; a message needs no type, and neither does a reference."""
    if not isinstance(value, dict | BaseModel):
        return None
    kind = _get(value, "type")
    if kind is None:
        kind = "message" if _get(value, "role") is not None else "item_reference"
    return f"<{kind if kind in ITEMS else 'other'}>"


class ContentPart(Wire):
    """input_text, output_text, text, summary_text and reasoning_text have `text`; a refusal has
    `refusal`. Images, files and sound cannot be served."""

    type: str
    text: str | None = None
    refusal: str | None = None


Content = Annotated[
    Annotated[str, Tag(TEXT)] | Annotated[list[ContentPart], Tag(LIST)],
    one_of("a string or a list of parts"),
]
ItemId = Annotated[str | None, Field(max_length=ID)]
ItemStatus = Literal["in_progress", "completed", "incomplete"]


class InputMessage(Wire):
    """Something said: by the client, or by the model before."""

    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: Content
    id: ItemId = None
    status: ItemStatus | None = None


class InputCall(Wire):
    """A call the model made before."""

    type: Literal["function_call"]
    call_id: str = Field(min_length=1, max_length=ID)
    name: str = Field(min_length=1)
    arguments: str = "{}"
    id: ItemId = None
    status: ItemStatus | None = None


class InputCallOutput(Wire):
    """What a call returned."""

    type: Literal["function_call_output"]
    call_id: str = Field(min_length=1, max_length=ID)
    output: Content
    id: ItemId = None
    status: ItemStatus | None = None


class InputReasoning(Wire):
    """What the model thought before."""

    type: Literal["reasoning"]
    id: ItemId = None
    summary: list[ContentPart] | None = None
    content: list[ContentPart] | None = None
    encrypted_content: str | None = None
    status: ItemStatus | None = None


class ItemReference(Wire):
    """An item of a response that is stored here."""

    type: Literal["item_reference"] | None = None
    id: str = Field(min_length=1, max_length=ID)


class OtherItem(Wire):
    """Anything else that OpenAI has."""

    type: str


InputItem = Annotated[
    Annotated[InputMessage, Tag("<message>")]
    | Annotated[InputCall, Tag("<function_call>")]
    | Annotated[InputCallOutput, Tag("<function_call_output>")]
    | Annotated[InputReasoning, Tag("<reasoning>")]
    | Annotated[ItemReference, Tag("<item_reference>")]
    | Annotated[OtherItem, Tag("<other>")],
    Discriminator(
        _kind, custom_error_type="wrong_shape", custom_error_message="Input should be an item"
    ),
]
Input = Annotated[
    Annotated[str, Tag(TEXT)] | Annotated[list[InputItem], Tag(LIST)],
    one_of("a string or a list of items"),
]


class ResponseTool(Wire):
    """Only type "function" can be served."""

    type: str
    name: str | None = None
    description: str | None = None
    parameters: JsonObject | None = None
    strict: bool | None = None


class ChoiceObject(Wire):
    """{"type": "function", "name": ...} or {"type": "allowed_tools", "mode": ..., "tools": ...}."""

    type: str
    name: str | None = None
    mode: Literal["auto", "required"] | None = None
    tools: list[JsonObject] | None = None


ResponseToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag(TEXT)]
    | Annotated[ChoiceObject, Tag(OBJECT)],
    one_of('"none", "auto", "required" or {"type": "function", "name": ...}'),
]


class TextFormat(Wire):
    """type "json_schema" comes with `schema`."""

    model_config = ConfigDict(populate_by_name=True)

    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    description: str | None = None
    schema_: JsonObject | None = Field(None, alias="schema")
    strict: bool | None = None


class TextConfig(Wire):
    """Verbosity is for models that know it: none here does, and only the usual one passes."""

    format: TextFormat | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class Reasoning(Wire):
    """With a summary asked for, thoughts are told as that, else as reasoning text."""

    effort: Effort | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None


class CountBody(Wire):
    """POST /v1/responses/input_tokens."""

    model_config = ConfigDict(extra="allow")

    model: str | None = None
    input: Input | None = None
    instructions: str | None = None
    previous_response_id: str | None = Field(None, max_length=ID)
    tools: list[ResponseTool] | None = None
    tool_choice: ResponseToolChoice | None = None
    parallel_tool_calls: bool | None = None
    reasoning: Reasoning | None = None
    text: TextConfig | None = None
    truncation: Literal["auto", "disabled"] | None = None


class ResponseBody(CountBody):
    """POST /v1/responses. llama-server's fields of a chat completion (min_p, seed, grammar,
    timings_per_token, return_progress and so on) are read too."""

    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    temperature: float | None = Field(None, ge=0)
    top_p: float | None = Field(None, ge=0, le=1)
    top_logprobs: int | None = Field(None, ge=0, le=20)
    include: list[str] | None = None

    store: bool | None = None
    stream: bool | None = None
    background: bool | None = None
    metadata: Annotated[dict[str, str] | None, Field(max_length=MOST_METADATA)] = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    service_tier: str | None = None
