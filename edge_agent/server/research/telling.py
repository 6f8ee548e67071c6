"""The steps of a run as one text that a person reads while it grows."""

from __future__ import annotations

from edge_agent.agent.records import (
    NoteTaken,
    Retried,
    RunEvent,
    StepStarted,
    TextDelta,
    ThoughtDelta,
    ToolCalled,
    ToolReturned,
)

LINE_CHARS = 160


class Teller:
    """Events in, pieces of text out: thoughts as they are written, all else a line each."""

    def __init__(self) -> None:
        self._midline = False
        self._begun = False

    def tell(self, event: RunEvent) -> str:
        """What to add for an event, which may be nothing."""
        if isinstance(event, ThoughtDelta | TextDelta):
            return self._written(event.text)
        if isinstance(event, StepStarted):
            return self._line("") if self._begun else ""
        if isinstance(event, ToolCalled):
            given = ", ".join(f"{k}: {_given(v)}" for k, v in event.arguments.items() if v)
            return self._line(f"→ {event.tool} {given}".rstrip())
        if isinstance(event, ToolReturned):
            return self._line(f"← {short(event.error or event.result)}")
        if isinstance(event, NoteTaken):
            return self._line(f"• {short(event.note.title or event.note.url)}")
        if isinstance(event, Retried):
            return self._line(f"(once more: {short(event.why)})")
        return ""

    def _written(self, text: str) -> str:
        if text:
            self._begun, self._midline = True, not text.endswith("\n")
        return text

    def _line(self, text: str) -> str:
        before = "\n" if self._midline else ""
        self._begun, self._midline = True, False
        return f"{before}{text}\n"


def _given(value: object) -> str:
    return short("; ".join(map(str, value)) if isinstance(value, list | tuple) else value)


def short(value: object) -> str:
    """A value on one line that is not too long."""
    text = " ".join(str(value).split())
    return text if len(text) <= LINE_CHARS else text[: LINE_CHARS - 1] + "…"
