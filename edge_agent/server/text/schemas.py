"""The wire types of the routes about text, as llama-server, OpenAI and Jina have them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AliasChoices, ConfigDict, Field, Tag

from edge_agent.server.completions.schemas import Wire
from edge_agent.server.wire import LIST, NUMBER, OBJECT, TEXT, one_of

MOST_TEXTS = 2048  # of one request, as OpenAI's
MOST_CHARACTERS = 1_000_000  # of one request: a minute of work or so on one core
LONGEST = 50_000  # characters of one text, which OpenAI bounds at 8192 tokens


_Text = Annotated[str, Tag(TEXT)]
_Id = Annotated[int, Tag(NUMBER)]
TextOrId = Annotated[_Text | _Id, one_of("a text or a token id")]
TextOrIds = Annotated[
    _Text | _Id | Annotated[list[int], Tag(LIST)], one_of("a text, or a list of token ids")
]


class TokenizeBody(Wire):
    """POST /tokenize. `content` is a text, or texts and token ids one behind the other.

    `add_special` puts the model's beginning-of-text token in front, `parse_special` reads the
    spellings of control tokens as those tokens, `with_pieces` tells each token's text too.
    """

    content: Annotated[_Text | Annotated[list[TextOrId], Tag(LIST)], one_of("a string or a list")]
    add_special: bool = False
    parse_special: bool = True
    with_pieces: bool = False


class DetokenizeBody(Wire):
    """POST /detokenize."""

    tokens: list[int]


class EmbeddingsBody(Wire):
    """POST /v1/embeddings. `input` is a text, or several; any `model` is taken for the one here."""

    model_config = ConfigDict(extra="allow")

    input: Annotated[
        _Text | Annotated[list[TextOrIds], Tag(LIST)], one_of("a string or a list of strings")
    ]
    model: str | None = None
    encoding_format: Literal["float", "base64"] | None = None


class Document(Wire):
    text: str


class RerankBody(Wire):
    """POST /v1/rerank. `texts` in place of `documents` asks for the shape of TEI."""

    query: str
    documents: (
        list[
            Annotated[_Text | Annotated[Document, Tag(OBJECT)], one_of('a string or {"text": ...}')]
        ]
        | None
    ) = None
    texts: list[str] | None = None
    model: str | None = None
    top_n: int | None = Field(None, ge=1)
    return_documents: bool = Field(
        False, validation_alias=AliasChoices("return_documents", "return_text")
    )
