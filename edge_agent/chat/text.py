"""A model that goes on with plain text, and what it makes of text: its tokens."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from edge_agent.chat.messages import ChatRequest, Event, Grammar, Prompt
from edge_agent.engine.params import SamplingParams


@dataclass(frozen=True, slots=True)
class TextRequest:
    """One generation that goes on where a text ends, without a chat template.

    prompt: texts and token ids, one behind the other. whole: whether the prompt stands at the
    beginning, so that it gets what the model wants before every text.
    drawn: n_logprobs counts probabilities after sampling, see `GenerateParams`.
    Everything else is as in `ChatRequest`.
    """

    prompt: tuple[str | int, ...]
    whole: bool = True
    response_schema: Mapping[str, Any] | None = None
    grammar: Grammar | None = None
    sampling: SamplingParams | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False
    priority: int = 0
    n: int = 1
    n_logprobs: int | None = None
    drawn: bool = False
    speculate: bool | None = None
    fresh: bool = False
    progress: bool = False
    name: str = field(default="")


class TextModel(Protocol):
    """A model's text side: what /completion, /tokenize and /apply-template stand on."""

    @property
    def path(self) -> str:
        """The model's file."""
        ...

    @property
    def bos(self) -> str: ...
    @property
    def eos(self) -> str: ...
    @property
    def bos_ids(self) -> tuple[int, ...]:
        """What stands before every prompt: the beginning-of-text id, or nothing."""
        ...

    @property
    def eog_ids(self) -> frozenset[int]:
        """The ids that end a generation."""
        ...

    @property
    def n_vocab(self) -> int: ...
    @property
    def template(self) -> str:
        """The source of the chat template."""
        ...

    def encode(self, text: str, special: bool = True) -> list[int]:
        """Token ids; `special` reads control spellings as their tokens."""
        ...

    def token_id(self, text: str) -> int | None:
        """The one special token that is spelled so, or None."""
        ...

    def piece(self, token: int) -> bytes:
        """What a token adds to the text. Raises RequestError where there is no such token."""
        ...

    def text(self, ids: Sequence[int]) -> str:
        """The text of token ids; what is no character shows as U+FFFD. Raises RequestError."""
        ...

    def render(self, request: ChatRequest) -> str:
        """The text of the prompt that a chat request becomes. Raises RequestError."""
        ...

    def prepare(self, request: TextRequest) -> Prompt:
        """All that can fail before generation: ContextOverflow, GrammarError, RequestError."""
        ...

    def stream(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        """Text and Done, and Progress where it is asked for. Closing the iterator cancels."""
        ...
