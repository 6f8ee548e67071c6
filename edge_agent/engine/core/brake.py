"""Breaking off a running decode, without a lost or a needless stop."""

from __future__ import annotations

from collections.abc import Callable


class Brake:
    """Stops the running decode when a sequence whose prompt it computes is cancelled.

    `cancel` is called by the thread that listens, the rest by the thread that decodes. Each side
    writes its own word before it reads the other's, so a cancel is seen by one of them at the
    latest. A cancel of any other sequence stops nothing: the step would be computed again.
    """

    def __init__(self, pull: Callable[[bool], None]) -> None:
        self._pull = pull
        self._computing: frozenset[int] = frozenset()
        self._cancelled: set[int] = set()

    def cancel(self, id: int) -> None:
        """The sequence is not wanted any more (from any thread)."""
        self._cancelled.add(id)
        if id in self._computing:
            self._pull(True)

    def release(self, ids: frozenset[int]) -> bool:
        """A decode of these is about to run; False when one of them is not wanted any more."""
        self._pull(False)
        self._computing = ids
        return not (ids & self._cancelled)

    def hold(self) -> None:
        """No decode is running."""
        self._computing = frozenset()

    def forget(self, id: int) -> None:
        """The cancel has been carried out."""
        self._cancelled.discard(id)
