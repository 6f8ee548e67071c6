"""Edits of what is cached of a prompt: cut spans out of it, go back, put it away and bring it back.

Where there is nothing to edit they change nothing, and the next request computes what it lacks:
`Edited` says how much is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from edge_agent.chat.messages import Chat, Completion, Prompt, TokenRange
from edge_agent.engine.params import Edited, Park, Prune, Resume, Rollback


def merged(spans: Iterable[TokenRange]) -> list[TokenRange]:
    """The same tokens in as few spans as there can be, in order."""
    whole: list[TokenRange] = []
    for start, stop in sorted(span for span in spans if span[0] < span[1]):
        if whole and start <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(whole[-1][1], stop))
        else:
            whole.append((start, stop))
    return whole


def without(prompt: Prompt, spans: Iterable[TokenRange]) -> Prompt:
    """The prompt with these tokens left out of its ids. What is cached stays as it is."""
    ids = prompt.ids
    for start, stop in reversed(merged(spans)):
        ids = ids[:start] + ids[stop:]
    return replace(prompt, ids=ids)


async def prune(
    chat: Chat, prompt: Prompt, spans: Sequence[TokenRange], completion: Completion | None = None
) -> tuple[Prompt, Edited]:
    """`without`, and what is cached behind the spans is moved down instead of computed again.

    completion: was generated after the prompt and moves with it. What moved was computed while the
    spans could be seen; the prompt, and every one that `Chat.extend` makes of it, accepts that.
    Its limit on generated tokens is that of the longer prompt: extend it.
    """
    said = completion.done.ids if completion is not None else ()
    edited = Edited(0, 0)
    for start, stop in reversed(merged(spans)):  # the last first, so that the others stay in place
        edited = await chat.edit(Prune(prompt.ids + said, start, stop))
        prompt = without(prompt, [(start, stop)])
    return replace(prompt, params=replace(prompt.params, accept_pruned=True)), edited


async def rollback(chat: Chat, prompt: Prompt, completion: Completion) -> Edited:
    """Forget what was generated after the prompt, which itself stays cached."""
    return await chat.edit(Rollback(prompt.ids + completion.done.ids, len(prompt.ids)))


async def park(chat: Chat, prompt: Prompt, name: str) -> Edited:
    """Move what is cached of the prompt out of the cells, under a name of the caller's choice."""
    return await chat.edit(Park(name, prompt.ids))


async def resume(chat: Chat, name: str) -> Edited:
    """Bring back what was parked under the name. Raises NotFound when nothing was."""
    return await chat.edit(Resume(name))
