"""Files and folders that appear in one step, when they are whole, or not at all."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_agent.errors import CatalogError, RequestError

MARGIN_BYTES = 64 << 20  # for the header and what else is written meanwhile


@contextmanager
def whole(target: Path, needed_bytes: int = 0) -> Iterator[Path]:
    """The path to write to; it becomes `target` when the block ends well, and else it is removed.

    What an interrupted run left there is removed first: work begins anew. Raises RequestError where
    `target` cannot lie, CatalogError where the disk has no room for `needed_bytes` or runs full.
    """
    folder = target.parent
    if not folder.is_dir():
        raise RequestError(f"{folder} is no folder: make it first, or write somewhere else.")
    _check_room(folder, needed_bytes)
    part = target.with_name(f".{target.name}.part")
    _remove(part)
    try:
        yield part
        part.replace(target)
    except OSError as error:
        raise _told(error, target) from None
    finally:
        _remove(part)


def _check_room(folder: Path, needed_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed_bytes and free < needed_bytes + MARGIN_BYTES:
        raise CatalogError(
            f"The disk of {folder} has {free / 1e9:.1f} GB free and {needed_bytes / 1e9:.1f} GB "
            "are needed: make room, or write somewhere else."
        )


def _told(error: OSError, target: Path) -> CatalogError:
    if error.errno == errno.ENOSPC:
        return CatalogError(f"The disk ran full while {target} was written: make room first.")
    return CatalogError(f"{target} cannot be written: {error.strerror or error}.")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
