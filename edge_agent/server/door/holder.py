"""Whose a request is: a name for each API key that tells nothing of the key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

# so that a short key cannot be read out of a copy of what is kept here: 5 ms of one core
ROUNDS = 10_000
NAME_BYTES = 16


@dataclass(frozen=True, slots=True)
class Holder:
    """Who asks. id: of the API key, "" where none is asked for. alone: there is no other key."""

    id: str = ""
    alone: bool = True

    @property
    def ids(self) -> tuple[str, ...]:
        """Whose things it may see: its own, and what no key made where there is nobody else."""
        return (self.id, "") if self.id and self.alone else (self.id,)


def id_of(key: bytes) -> str:
    """The same for the same key, on every device and for ever: it is kept beside the records."""
    return hashlib.pbkdf2_hmac("sha256", key, b"edge-agent holder", ROUNDS, NAME_BYTES).hex()
