"""What a reply to the model is made of: the stretches of it that can be folded one by one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from edge_agent.agent.records import Note

ItemKind = Literal[
    "title",  # the line that says which page the facts below it are from
    "fact",  # a line of the evidence, under its number
    "results",  # what a search found, page by page
    "empty",  # a page or a call that gave nothing
    "repeat",  # what a repeated call was told
    "nudge",  # what is left of a budget, and other words of ours
    "answer",  # what speaks against the answer so far
    "folded",  # what was folded before, and how to see it again
]

FACT = re.compile(r"^\[(\d+)\] ")
TITLE = re.compile(r"^From “(.*)”:$")


@dataclass(frozen=True, slots=True)
class Item:
    """`text` stands literally in the reply. fact: the evidence's number, 0 where it is none.

    title: of the page that it is from, where it is from one. answer: that it speaks against.
    """

    kind: ItemKind
    text: str
    fact: int = 0
    title: str = ""
    answer: str = ""

    def alone(self) -> Item:
        """As it is told where the answer that it speaks against is no longer in sight."""
        if not self.answer:
            return self
        return replace(self, text=f"Answer so far: “{self.answer}”. {self.text}", answer="")


def observed(
    text: str, notes: Sequence[Note], repeated: bool = False, failed: bool = False
) -> tuple[Item, ...]:
    """The items of one call's reply: what the call itself was told, and the notes of its pages."""
    kind: ItemKind = "repeat" if repeated else "empty" if failed else "results"
    told = [Item(kind, text)] if text.strip() else []
    noted = [item for note in notes for item in _of_note(note)]
    return (*told, *noted)


def nothing_on(title: str) -> str:
    """What is told of a page that gave nothing."""
    return f"Nothing useful on “{title}”."


def _of_note(note: Note) -> list[Item]:
    if not note.text.strip():
        return [Item("empty", nothing_on(note.title), title=note.title)]
    return list(of_facts(note.text, note.title))


def of_facts(text: str, title: str = "") -> Iterable[Item]:
    """The items of a text made by `evidence.as_text`, one a line."""
    for line in text.splitlines():
        head, fact = TITLE.match(line), FACT.match(line)
        if head:
            title = head[1]
            yield Item("title", line, title=title)
        elif fact:
            yield Item("fact", line, int(fact[1]), title)
