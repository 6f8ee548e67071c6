"""Unions of the wire types: told apart by the JSON type of a value, named in words when wrong."""

from __future__ import annotations

from pydantic import BaseModel, Discriminator

# Tags stand in brackets, so that they never become part of a field's path (see errors.field_path).
TEXT, LIST, OBJECT, NUMBER, BOOL = "<text>", "<list>", "<object>", "<number>", "<bool>"
_TAGS = {str: TEXT, list: LIST, tuple: LIST, dict: OBJECT, int: NUMBER, float: NUMBER, bool: BOOL}


def one_of(what: str) -> Discriminator:
    """The discriminator of a union whose branches are tagged with the above.

    what: the branches in words, behind "Input should be".
    """
    return Discriminator(
        _shape, custom_error_type="wrong_shape", custom_error_message=f"Input should be {what}"
    )


def _shape(value: object) -> str | None:
    return _TAGS.get(type(value), OBJECT if isinstance(value, BaseModel) else None)
