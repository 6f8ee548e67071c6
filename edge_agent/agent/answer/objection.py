"""What speaks against an answer, told to the model in place of ending the run with it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Objection:
    """answer: as the model wrote it, "" where it gave up. why: a sentence for it to read."""

    answer: str
    why: str
