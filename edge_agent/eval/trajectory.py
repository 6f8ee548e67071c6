"""One try as a page to read, from its record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edge_agent.eval.trial import Scored


def trajectory(line: Scored) -> str:
    """Markdown: what was asked, what the model wrote, what came of it, what it answered."""
    verdict = "right" if line.em == 1 else "wrong"
    parts = [
        f"### {verdict}: {_quoted(line.question)}",
        f"{line.id}, {line.reason}, {line.seconds:.1f} s. Expected: {_quoted(line.expected)}.",
        *(part for step in line.run.get("steps", ()) for part in _step(step)),
        f"**Answer: {_quoted(line.answer)}**",
        *(_citation(one) for one in line.run.get("citations", ())),
    ]
    return "\n\n".join(parts)


def _step(step: Mapping[str, Any]) -> Iterator[str]:
    computed = step["prompt_tokens"] - step["cached_tokens"]
    yield (
        f"**Step {step['number']}** ({step['seconds']:.1f} s, {computed} tokens read, "
        f"{step['completion_tokens']} written)"
    )
    for name in ("thought", "text", "error"):
        if step.get(name):
            yield f"{name}:{_block(step[name])}"
    for action in step["actions"]:
        again = " (made before)" if action.get("repeated") else ""
        arguments = {key: value for key, value in action["arguments"].items() if value}
        yield f"- `{action['tool']}`{again} {_quoted(arguments)}: {_quoted(action['result'])}"
    for note in step["notes"]:
        told = _block(note["text"]) if note["text"] else " nothing"
        yield f"note on {_quoted(note['title'])}:{told}"


def _citation(citation: Mapping[str, Any]) -> str:
    return f"- {_quoted(citation['title'])} ({citation['url']}): {_quoted(citation['quote'])}"


def _block(text: str) -> str:
    """An indented block, which no text can end early."""
    return "\n\n" + "\n".join(f"    {line}" for line in text.splitlines())


def _quoted(value: object) -> str:
    """One line in which nothing is markup."""
    line = " ".join(str(value).split())
    return line.translate(MARKUP)


MARKUP = str.maketrans({char: f"\\{char}" for char in "\\`*_<>[]#|"})
