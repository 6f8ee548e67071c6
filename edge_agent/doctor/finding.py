"""What was found out about one thing, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# good: as it should be. note: works, and could be better. problem: something will not work.
State = Literal["good", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """told: one sentence of what is. fix: what to do, where something is to be done."""

    name: str
    state: State
    told: str
    fix: str = ""
