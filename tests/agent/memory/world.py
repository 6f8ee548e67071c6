"""Facts of a made-up harbour, told turn by turn."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.agent.memory.items import Item, observed
from edge_agent.agent.memory.memory import Memory
from edge_agent.agent.records import Note
from edge_agent.agent.refine.evidence import Evidence, as_text
from edge_agent.agent.refine.passages import Passage
from edge_agent.chat.messages import ChatRequest, Completion, Message
from edge_agent.tools.base import Page

TASK = "Who built the pier of Ostrey?"
SYSTEM = Message("system", "You look things up and answer in one short sentence.")


def note(evidence: Evidence, title: str, texts: Sequence[str]) -> Note:
    """What the refiner makes of a page: its texts are facts now."""
    page = Page(f"http://h/{title}", title, " ".join(texts), "text/html", "web", "")
    facts = evidence.add(page, [Passage(i, text, "") for i, text in enumerate(texts)])
    return Note("web", page.url, title, as_text(facts))


def tell(memory: Memory, completion: Completion, *notes: Note, text: str = "") -> tuple[Item, ...]:
    """Answer a turn with notes; gives their items."""
    items = observed(text, notes)
    content = "\n".join(item.text for item in items)
    memory.add(completion, (Message("user", content),), items)
    return items


def asked(notes: str) -> ChatRequest:
    """The request of a turn, as the loop makes it."""
    known = f"\nFacts:\n{notes}" if notes else ""
    return ChatRequest((SYSTEM, Message("user", TASK + known)), max_tokens=12)
