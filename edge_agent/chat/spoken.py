"""Conversations as the model generated them, found again by how they read."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Collection

MAX_CHARACTERS = 2_000_000  # of all conversations together; as ids they take about as many bytes


class Spoken:
    """Remembers the ids behind a text, so that a conversation goes on from its own tokens.

    What a model generated does not always tokenise as it was generated, constrained JSON least of
    all; encoded anew, a conversation would leave its cells in the KV cache at that place.

    control: spellings of the control tokens, of which one must follow a beginning that is
    recalled, because tokens do not merge across them. Forgets what was least lately asked for;
    may be asked from several threads.
    """

    def __init__(self, control: Collection[str], limit: int = MAX_CHARACTERS) -> None:
        self._ends = re.compile("|".join(map(re.escape, sorted(control, key=len))) or r"(?!)")
        self._limit = limit
        self._held = 0
        self._known: OrderedDict[str, tuple[int, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, text: str, ids: tuple[int, ...]) -> None:
        """`ids` read as `text`: a prompt and all that was generated after it, but for its end."""
        with self._lock:
            self._held += 0 if text in self._known else len(text)
            self._known[text] = ids
            self._known.move_to_end(text)
            while self._held > self._limit:
                oldest, _ = self._known.popitem(last=False)
                self._held -= len(oldest)

    def recall(self, text: str) -> tuple[tuple[int, ...], str]:
        """The ids of the longest beginning of `text` that is known, and the rest of the text."""
        with self._lock:
            fitting = [one for one in self._known if self._begins(text, one)]
            found = max(fitting, key=len, default="")
            if not found:
                return (), text
            self._known.move_to_end(found)
            return self._known[found], text[len(found) :]

    def _begins(self, text: str, one: str) -> bool:
        return text.startswith(one) and self._ends.match(text, len(one)) is not None
