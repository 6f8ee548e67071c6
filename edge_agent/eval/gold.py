"""The paragraphs that answer a question, in whatever shape its data set has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any

KEYS = ("gold_paragraphs", "paragraphs", "context", "contexts")  # where records keep paragraphs
TEXTS = ("text", "paragraph_text", "sentences")
FLAGS = ("supporting", "is_supporting")


@dataclass(frozen=True, slots=True)
class Passage:
    """One paragraph of a page."""

    title: str
    text: str


def gold_of(record: Mapping[str, Any], titles: Sequence[str]) -> tuple[Passage, ...]:
    """The record's paragraphs that are marked as supporting, or else are of the gold titles.

    A paragraph is an object with a title and a text or sentences, or HotpotQA's pair of title and
    sentences. Those under "gold_paragraphs" need no mark. () where the record has none.
    """
    for key in KEYS:
        items = [item for item in _items(record.get(key)) if _passage(item) is not None]
        kept = items if key == KEYS[0] else _supporting(items, titles)
        if kept:
            return tuple(passage for item in kept if (passage := _passage(item)) is not None)
    return ()


def _items(value: Any) -> Iterator[Any]:
    return iter(value) if isinstance(value, list) else iter(())


def _supporting(items: Sequence[Any], titles: Sequence[str]) -> list[Any]:
    marked = [item for item in items if isinstance(item, Mapping) and _is_marked(item)]
    wanted = {title.casefold() for title in titles}
    return marked or [item for item in items if _title(item).casefold() in wanted]


def _title(item: Any) -> str:
    passage = _passage(item)
    return passage.title if passage else ""


def _is_marked(item: Mapping[str, Any]) -> bool:
    return any(item.get(flag) is True for flag in FLAGS)


def _passage(item: Any) -> Passage | None:
    """The paragraph that an item is; None when it is none."""
    if isinstance(item, str):
        return Passage("", unescape(item))
    if isinstance(item, list) and len(item) == 2 and isinstance(item[0], str):
        return Passage(unescape(item[0]), _joined(item[1]))
    if not isinstance(item, Mapping):
        return None
    text = next((_joined(item[key]) for key in TEXTS if item.get(key)), "")
    return Passage(unescape(str(item.get("title") or "")), text) if text else None


def _joined(text: Any) -> str:
    sentences = text if isinstance(text, list) else [text]
    return unescape(" ".join(str(sentence).strip() for sentence in sentences))
