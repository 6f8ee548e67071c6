"""Who works on a run: a locked file, which the system frees however its process dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from pathlib import Path

from edge_agent.errors import StoreError

SWEEP_S = 60.0  # age of a file from which on its owner has long taken its lock


class Owner:
    """A name for this worker that others can ask to be alive. Raises StoreError.

    folder: where the owners of one journal keep their files; it is made when it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.id = secrets.token_hex(8)
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(self._file(self.id), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreError(f"{folder} cannot be written ({error.strerror}).") from None
        fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def is_alive(self, owner: str) -> bool:
        """Whether the worker of that name still lives, in this process or another."""
        if not owner:
            return False
        try:
            handle = os.open(self._file(owner), os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(handle)
        self._file(owner).unlink(missing_ok=True)  # its name will never be used again
        return False

    def sweep(self) -> None:
        """Remove what owners left that died. A new one is let be: it may not have its lock yet."""
        old = time.time() - SWEEP_S
        for file in self._folder.glob("*.lock"):
            with contextlib.suppress(OSError):
                if file.stat().st_mtime < old:
                    self.is_alive(file.stem)

    def close(self) -> None:
        """Be dead to others."""
        self._file(self.id).unlink(missing_ok=True)
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def _file(self, owner: str) -> Path:
        return self._folder / f"{owner}.lock"
