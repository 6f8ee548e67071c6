"""The wire types of completions of plain text: OpenAI's, llama-server's, and its infill."""

from __future__ import annotations

from typing import Annotated

from pydantic import AliasChoices, Field, Tag

from edge_agent.server.completions.schemas import Sampled, Wire
from edge_agent.server.wire import LIST, OBJECT, TEXT, one_of

MAX_PROMPTS = 128  # of one request, as many as there may be choices
MAX_TOP = 20  # as the engine reports


class PromptObject(Wire):
    """llama-server's shape for text with pictures; only text can be served."""

    prompt_string: str
    multimodal_data: str | list[str] | None = None


WirePrompt = Annotated[
    Annotated[str, Tag(TEXT)]
    | Annotated[
        list[str | int | list[str | int] | PromptObject],
        Tag(LIST),
        Field(min_length=1, max_length=2**20),
    ]
    | Annotated[PromptObject, Tag(OBJECT)],
    one_of("a text, token ids, or a list of those"),
]


class TextBody(Sampled):
    """POST /v1/completions. Several prompts are answered side by side, each with `n` choices."""

    prompt: WirePrompt
    suffix: str | None = None
    echo: bool | None = None
    logprobs: int | None = Field(None, ge=0, le=MAX_TOP)


class Native(Sampled):
    """What llama-server's own routes take beside the rest."""

    n: int | None = Field(None, ge=1, le=128, validation_alias=AliasChoices("n_cmpl", "n"))
    n_probs: int | None = Field(None, ge=0, le=MAX_TOP)
    post_sampling_probs: bool | None = None
    return_tokens: bool | None = None
    response_fields: list[str] | None = None


class NativeBody(Native):
    """POST /completion, llama-server's."""

    prompt: WirePrompt


class Extra(Wire):
    """A file that the code to be filled in may refer to."""

    text: str
    filename: str = "tmp"


class InfillBody(Native):
    """POST /infill. `prompt` is the beginning of what is filled in between prefix and suffix."""

    input_prefix: str
    input_suffix: str
    input_extra: list[Extra] | None = None
    prompt: str | None = None
