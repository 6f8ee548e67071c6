"""Which tokens of a prompt a text stands in."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from edge_agent.chat.messages import TokenRange


def located(
    pieces: Sequence[bytes], texts: Sequence[str], since: int = 0
) -> tuple[TokenRange | None, ...]:
    """See `messages.Chat.locate`. pieces: what each token adds to the text, from `since` on."""
    ends = list(accumulate(map(len, pieces)))
    data = b"".join(pieces)
    found: list[TokenRange | None] = []
    cursor = 0  # a byte of data
    for text in texts:
        wanted = text.strip().encode("utf-8", "replace")  # templates trim contents
        at = data.find(wanted, cursor) if wanted else -1
        if at < 0:
            found.append(None)
            continue
        cursor = at + len(wanted)
        first, stop = _first_from(ends, at), _behind(pieces, ends, cursor)
        found.append((since + first, since + stop) if first < stop else None)
    return tuple(found)


def _first_from(ends: Sequence[int], at: int) -> int:
    """The first token that begins at this byte or behind it."""
    return bisect_left(ends, at) + 1 if at else 0


def _behind(pieces: Sequence[bytes], ends: Sequence[int], end: int) -> int:
    """The token behind a text that ends at this byte, its line end passed over.

    A token that holds more than white space behind the text is not of the text.
    """
    last = bisect_left(ends, end)
    surplus = ends[last] - end
    if surplus:
        return last + 1 if pieces[last][-surplus:].isspace() else last
    following = pieces[last + 1] if last + 1 < len(pieces) else b""
    return last + 2 if following.isspace() and b"\n" in following else last + 1
