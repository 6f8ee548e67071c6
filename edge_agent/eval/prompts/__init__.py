"""The texts that the baseline arms ask with, one file each."""

from __future__ import annotations

from importlib.resources import files


def text_of(name: str) -> str:
    """The text of a prompt file in this folder, which ends without a line break."""
    return (files(__name__) / f"{name}.md").read_text("utf-8").strip()
