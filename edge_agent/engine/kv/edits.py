"""What the agent does to its cached transcripts: roll back, prune, park, resume."""

from __future__ import annotations

import numpy as np

from edge_agent.engine.kv.cache import PrefixCache
from edge_agent.engine.kv.cells import Ids, Slot
from edge_agent.engine.kv.vault import NO_STATE, Vault
from edge_agent.engine.params import Edit, Edited, Park, Prune, Resume, Rollback
from edge_agent.errors import NotFound, RequestError

NOTHING = Edited(0, 0)


class Editor:
    """Carries out edits between two steps. A sequence is named by its tokens, as everywhere here.

    What a running generation uses is left alone: an edit of it is carried out on a slot of its own
    that shares the cells, or not at all, and then the next request computes what it lacks.
    """

    def __init__(self, cache: PrefixCache, vault: Vault) -> None:
        self._cache = cache
        self._vault = vault

    def edit(self, edit: Edit) -> Edited:
        """Raises NotFound (a name) or RequestError (a span that is not one)."""
        if isinstance(edit, Rollback):
            return self._rollback(edit)
        if isinstance(edit, Prune):
            return self._prune(edit)
        return self._park(edit) if isinstance(edit, Park) else self._resume(edit)

    def _rollback(self, edit: Rollback) -> Edited:
        _check_span(0, edit.length, len(edit.ids))
        slot, n = self._cache.longest(_array(edit.ids), accept_pruned=True)
        held = min(n, edit.length)
        if slot.is_parked:
            held = self._cache.truncate(slot.index, held)
        return Edited(held, min(held, slot.exact))

    def _prune(self, edit: Prune) -> Edited:
        _check_span(edit.start, edit.stop, len(edit.ids))
        found, n = self._cache.longest(_array(edit.ids), accept_pruned=True)
        stop = min(edit.stop, n)
        if stop <= edit.start:  # nothing of the span is cached
            return Edited(n, min(n, found.exact))
        slot = self._own(found, n)
        if slot is None:
            return Edited(edit.start, min(edit.start, found.exact))
        if not self._cache.prune(slot.index, edit.start, stop):
            self._cache.truncate(slot.index, edit.start)
        self._cache.park(slot.index)
        return Edited(len(slot.ids), slot.exact)

    def _park(self, edit: Park) -> Edited:
        found, n = self._cache.longest(_array(edit.ids))
        slot = self._own(found, n) if n else None
        if slot is None:
            self._vault.park(edit.name, _array(edit.ids), NO_STATE)
            return NOTHING
        if self._vault.park(edit.name, slot.ids, self._cache.save(slot.index)):
            self._cache.clear(slot.index)
        self._cache.park(slot.index)
        return Edited(n, n)

    def _resume(self, edit: Resume) -> Edited:
        parked = self._vault.resume(edit.name)
        if parked is None:
            raise NotFound(f"Nothing is parked under the name {edit.name!r}.")
        ids, state = parked
        slot = self._cache.idle() if len(state) else None
        if slot is None or not self._cache.put(slot, ids, state):
            found, n = self._cache.longest(ids)  # what memory had no room for may lie here still
            if len(state):
                self._vault.park(edit.name, ids, state)
            return Edited(n, min(n, found.exact))
        return Edited(len(ids), len(ids))

    def _own(self, slot: Slot, length: int) -> Slot | None:
        """A slot with just the first `length` tokens of this one: itself, or a sharer."""
        if slot.is_parked:
            self._cache.truncate(slot.index, length)
            return slot
        index = self._cache.fork(slot.index, length)
        return None if index is None else self._cache.slot(index)


def _array(ids: tuple[int, ...]) -> Ids:
    return np.asarray(ids, np.int32)


def _check_span(start: int, stop: int, length: int) -> None:
    if not 0 <= start <= stop <= length:
        raise RequestError(
            f"The span from {start} to {stop} does not lie within the {length} tokens given."
        )
