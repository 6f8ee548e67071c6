"""What is done with models that are on this device: checked, removed, brought in from elsewhere."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from edge_agent.catalog.catalog import Catalog
from edge_agent.catalog.gguf import read_gguf
from edge_agent.catalog.installed import Installed, is_installed, list_installed
from edge_agent.catalog.progress import Progress, silent
from edge_agent.catalog.verify import verify
from edge_agent.errors import BadModelFile, CatalogError, NotFound, RequestError

Link = Callable[[Path, Path], None]


def find(name: str, models_dir: Path, catalog: Catalog) -> Installed:
    """The model of that name, in any case of letters. Raises NotFound with what is installed."""
    models = list_installed(models_dir, catalog)
    for model in models:
        if name.lower() in (model.name.lower(), model.path.name.lower()):
            return model
    here = ", ".join(model.name for model in models) or "none"
    raise NotFound(f"{name} is not installed in {models_dir}; installed: {here}.")


def check(model: Installed, models_dir: Path, progress: Progress = silent) -> str:
    """What was found right, in one phrase: size and hash as its card says, or that it is whole.

    Raises BadModelFile where it is not.
    """
    if model.problem:
        raise BadModelFile(model.problem)
    if model.card is None:
        read_gguf(model.path)
        return "whole; no card says its hash"
    files = dict(zip(model.card.placed_names, model.card.paths(models_dir), strict=True))
    kept = [file for file in model.card.files if file.name in files]
    for file in kept:
        verify(file, files[file.name], None, progress)
    hashed = any(file.sha256 for file in kept)
    return "size and hash as its card says" if hashed else "whole; its card says no hash"


def remove(model: Installed, models_dir: Path) -> int:
    """Delete its files; returns the bytes that are free again. A card of one's own stays."""
    card = model.card
    paths = card.paths(models_dir) if card and is_installed(card, models_dir) else (model.path,)
    freed = sum(path.lstat().st_size for path in paths)
    for path in paths:
        path.unlink()
    if card and card.home(models_dir) != models_dir and not any(card.home(models_dir).iterdir()):
        card.home(models_dir).rmdir()
    return freed


def bring(source: Path, models_dir: Path, link: Link = os.link) -> Path:
    """Put a GGUF into the models folder: linked where the file system can, else copied, and there
    in one step. Raises BadModelFile where it is none, RequestError where one of its name is there,
    CatalogError where the disk is full.
    """
    read_gguf(source)
    target = models_dir / source.name
    if target.exists():
        raise RequestError(f"{target} exists: remove it with `edge-agent rm {target.stem}` first.")
    part = target.with_name(f".{target.name}.part")
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        _link_or_copy(source.resolve(), part, link)
        part.replace(target)
    except OSError as error:
        raise CatalogError(f"{target} cannot be written: {error.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)
    return target


def _link_or_copy(source: Path, target: Path, link: Link) -> None:
    try:
        link(source, target)
    except OSError:
        shutil.copyfile(source, target)
