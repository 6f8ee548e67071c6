"""What all the objects of one completion have in common."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from edge_agent import __version__

Json = dict[str, Any]
FINGERPRINT = f"b{__version__}-edge-agent"


def new_id(kind: str = "chatcmpl") -> str:
    """An id that no other completion has."""
    return f"{kind}-{uuid.uuid4().hex}"


@dataclass(frozen=True, slots=True)
class Head:
    """What every chunk of one completion has in common; `created` is Unix time in seconds."""

    model: str
    id: str = field(default_factory=new_id)
    created: int = field(default_factory=lambda: int(time.time()))

    def chunk(self, choices: list[Json], **more: Any) -> Json:
        return self.object("chat.completion.chunk", choices, more)

    def completion(self, choices: list[Json], **more: Any) -> Json:
        return self.object("chat.completion", choices, more)

    def object(self, kind: str, choices: list[Json], more: Json) -> Json:
        """An object of this kind; what is in `more` stands behind the choices."""
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": FINGERPRINT,
            "choices": choices,
            **more,
        }


@dataclass(frozen=True, slots=True)
class Wants:
    """What a client wants to hear besides the answer.

    include_usage: a last chunk with the usage. timings: with every delta. progress: of the prompt.
    verbose: what goes with the end, as llama-server has it.
    """

    include_usage: bool = False
    timings: bool = False
    progress: bool = False
    verbose: Json = field(default_factory=dict)
