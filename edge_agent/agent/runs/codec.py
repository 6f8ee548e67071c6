"""Records and what tools return, to the journal's JSON and back."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from functools import lru_cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from edge_agent.errors import StoreError
from edge_agent.store.pages import PageStore
from edge_agent.tools.base import FetchFailure, Page, SearchHit, SearchResults
from edge_agent.tools.stored import keep, page_of

T = TypeVar("T")
RESULTS: dict[str, type[Any]] = {
    "results": SearchResults,
    "hit": SearchHit,
    "failure": FetchFailure,
}
TAG = "is"
PAGE = "page"


def decode(kind: type[T], data: Mapping[str, Any]) -> T:
    """The dataclass that `asdict` wrote. Fields that this version does not know are left out, and
    those that are missing keep their defaults. Raises StoreError when one without default is."""
    hints = _hints(cast(Any, kind))
    known = {f.name: data[f.name] for f in fields(cast(Any, kind)) if f.name in data}
    try:
        return kind(**{name: _value(hints[name], value) for name, value in known.items()})
    except (TypeError, ValueError, KeyError) as error:
        raise StoreError(f"The journal holds a {kind.__name__} that is none: {error}.") from None


@lru_cache(maxsize=64)
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(hint: Any, value: Any) -> Any:
    """A JSON value as the type that a field says; what is plain stays as it is."""
    if value is None:
        return None
    if get_origin(hint) in (Union, types.UnionType):
        return _value(next(arm for arm in get_args(hint) if arm is not types.NoneType), value)
    if get_origin(hint) is tuple:
        arms = get_args(hint)
        inner = arms[:1] * len(value) if arms[1:] == (...,) else arms
        return tuple(_value(arm, each) for arm, each in zip(inner, value, strict=True))
    return decode(hint, value) if is_dataclass(hint) and isinstance(hint, type) else value


class ResultCodec:
    """What a tool returned: pages go to the page store, and the journal has their ids."""

    def __init__(self, pages: PageStore) -> None:
        self._pages = pages

    def to_json(self, result: Any) -> Any:
        """Raises StoreError when the disk fails, or for a type that no tool returns."""
        if isinstance(result, Page):
            return {TAG: PAGE, "id": self.keep(result), "fetched_at": result.fetched_at}
        for tag, kind in RESULTS.items():
            if isinstance(result, kind):
                return {TAG: tag, **asdict(result)}
        if isinstance(result, Mapping):
            return {TAG: "map", "items": {str(k): self.to_json(v) for k, v in result.items()}}
        if isinstance(result, (list, tuple)):
            return [self.to_json(each) for each in result]
        if result is None or isinstance(result, (str, int, float)):
            return result
        raise StoreError(f"A tool returned a {type(result).__name__}, which cannot be recorded.")

    def from_json(self, data: Any) -> Any:
        """Raises StoreError, and NotFound when a page is no longer in the store."""
        if isinstance(data, list):
            return [self.from_json(each) for each in data]
        if not isinstance(data, dict):
            return data
        if data[TAG] == PAGE:
            return self.page(data["id"])
        if data[TAG] == "map":
            return {key: self.from_json(value) for key, value in data["items"].items()}
        return decode(RESULTS[data[TAG]], data)

    def keep(self, page: Page) -> str:
        """Put a page into the store, where it mostly is already, and give its id."""
        return keep(self._pages, page)

    def page(self, page_id: str) -> Page:
        """Raises NotFound."""
        return page_of(self._pages.get(page_id))
