"""What is measured cannot do what a suite asks of it."""

from __future__ import annotations


class Lacking(Exception):
    """The text follows a name: "xllamacpp" + "has no way to remove tokens from what it cached"."""
