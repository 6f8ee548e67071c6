"""Who decides whether a tool of someone else's is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that waits for a person's word. tool: as its server names it. holder: whose run
    wants it."""

    server: str
    tool: str
    arguments: Mapping[str, Any]
    holder: str = ""


class Approver(Protocol):
    """A person, or whoever stands in for one."""

    def is_there(self, holder: str) -> bool:
        """Whether there is anyone to ask now about calls of this holder's runs."""
        ...

    async def allows(self, asked: Asked) -> bool:
        """False where nobody has said yes in time."""
        ...


@dataclass(frozen=True, slots=True)
class Always:
    """The same answer to everything; without asking anyone."""

    answer: bool

    def is_there(self, holder: str) -> bool:
        return self.answer

    async def allows(self, asked: Asked) -> bool:
        return self.answer


NOBODY = Always(False)  # there is no one to ask
DECIDED = Always(True)  # whoever calls has decided
