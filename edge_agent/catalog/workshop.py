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
MOST_TRIES = 1000  # at a folder that others remove


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
        shutil.rmtree(folder, ignore_errors=True)  # from now on it may be another's
    except BaseException:
        _drop_if_empty(folder)
        raise
    finally:
        _drop_if_empty(folder.parent)
        os.close(handle)


def _hold(folder: Path) -> int:
    """A locked handle of the folder; whoever held it before may have removed it meanwhile."""
    for _ in range(MOST_TRIES):
        handle = _open(folder)
        if handle is None:
            continue
        fcntl.flock(handle, fcntl.LOCK_EX)
        if _is_still(folder, handle):
            return handle
        os.close(handle)
    raise PullError(f"{folder} cannot be made: look at what stands in its place.")


def _is_still(folder: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), folder.stat())
    except OSError:  # removed
        return False


def _open(folder: Path) -> int | None:
    """A handle of the folder, which is made; None where another pull has just removed it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(folder, os.O_RDONLY)
    except (FileNotFoundError, FileExistsError):
        if folder.is_file() or folder.parent.is_file():
            raise PullError(f"{folder} cannot be made: a file stands in its place.") from None
        return None
    except OSError as error:
        raise PullError(f"{folder} cannot be written: {error.strerror}.") from None


def _drop_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
