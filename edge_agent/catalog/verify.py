"""Whether a fetched file is what the card and the source say it is."""

from __future__ import annotations

import hashlib
from pathlib import Path

from edge_agent.catalog.card import ModelFile
from edge_agent.catalog.gguf import read_gguf
from edge_agent.catalog.progress import Progress, Step
from edge_agent.errors import BadModelFile

CHUNK_BYTES = 4 << 20


def verify(file: ModelFile, path: Path, stated_sha256: str | None, progress: Progress) -> None:
    """Size, the card's hash and the source's, and that a GGUF is whole. Raises BadModelFile."""
    size = path.stat().st_size
    if file.size_bytes is not None and size != file.size_bytes:
        raise BadModelFile(f"{file.name} has {size:,} bytes and should have {file.size_bytes:,}.")
    expected = {digest for digest in (file.sha256, stated_sha256) if digest}
    if expected:
        found = sha256(path, progress)
        if expected != {found}:
            raise BadModelFile(
                f"{file.name} has the sha256 {found} and should have {' and '.join(expected)}."
            )
    if path.suffix == ".gguf":
        read_gguf(path)


def sha256(path: Path, progress: Progress) -> str:
    """The file's sha256 in hexadecimal digits."""
    digest, size, done = hashlib.sha256(), path.stat().st_size, 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            progress(Step(f"checking {path.name}", done, size))
    return digest.hexdigest()
