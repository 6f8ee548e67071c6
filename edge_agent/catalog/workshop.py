"""The hidden folder in which a model is put together, held by one pull at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from edge_agent.errors import PullError

PARTIAL = ".partial"


@contextlib.contextmanager
def workshop(models_dir: Path, name: str) -> Iterator[Path]:
    """The folder for the partial files of one model; a second pull of it waits here.

    It is left as it is when the body fails, so that the next pull continues, and is gone when the
    body succeeds. Raises PullError when the models folder cannot be written.
    """
    folder = models_dir / PARTIAL / name
    handle = _hold(folder)
    try:
        yield folder
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        _drop_if_empty(folder)
        os.close(handle)


def _hold(folder: Path) -> int:
    """A locked handle of the folder; whoever held it before may have removed it meanwhile."""
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise PullError(f"{folder} cannot be written: {error.strerror}.") from None
        fcntl.flock(handle, fcntl.LOCK_EX)
        if folder.exists() and os.path.samestat(os.fstat(handle), folder.stat()):
            return handle
        os.close(handle)


def _drop_if_empty(folder: Path) -> None:
    for empty in (folder, folder.parent):
        with contextlib.suppress(OSError):
            empty.rmdir()
