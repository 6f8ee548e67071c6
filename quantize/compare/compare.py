"""The heart of `compare`: one reference, several candidates, one text, one set of turns."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.catalog.gguf import GgufHeader, read_gguf
from edge_agent.errors import CatalogError, RequestError
from quantize.compare.agent import TURN_TOKENS
from quantize.compare.measure import Asked, Measured, measure
from quantize.compare.verdict import Gate, failures

CHUNK_TOKENS, CHUNKS = 512, 4
MARGIN_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Setup:
    """text: what is predicted. turn_tokens: most tokens of one of the agent's turns, 0 takes none
    of them. folder: where the reference's predictions lie meanwhile."""

    text: str
    chunk_tokens: int = CHUNK_TOKENS
    chunks: int = CHUNKS
    threads: int = 1
    turn_tokens: int = TURN_TOKENS
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """failures: why the candidate does not pass, empty when it does."""

    measured: Measured
    failures: Sequence[str]


@dataclass(frozen=True, slots=True)
class Comparison:
    reference: Measured
    verdicts: Sequence[Verdict]

    @property
    def passed(self) -> bool:
        """Whether every candidate did."""
        return not any(verdict.failures for verdict in self.verdicts)


def compare(reference: Path, candidates: Sequence[Path], setup: Setup, gate: Gate) -> Comparison:
    """Measure all of them, one after another.

    Raises BadModelFile for a file that is none, RequestError for one of another vocabulary or a
    text that is too short, CatalogError where the disk is too small for the predictions.
    """
    headers = [read_gguf(path) for path in (reference, *candidates)]
    _check_vocabularies(headers)
    with tempfile.TemporaryDirectory(prefix="compare-", dir=setup.folder) as folder:
        records = Path(folder) / "predictions"
        _check_room(Path(folder), headers[0], setup)
        best = measure(_asked(reference, setup, records, True))
        others = [measure(_asked(path, setup, records, False)) for path in candidates]
    for other in others:
        if other.ids != best.ids:
            raise RequestError(f"{other.path} cuts text into other tokens than {best.path}.")
    return Comparison(best, [Verdict(other, failures(best, other, gate)) for other in others])


def _asked(path: Path, setup: Setup, records: Path, is_reference: bool) -> Asked:
    return Asked(
        path,
        setup.text,
        records,
        setup.chunk_tokens,
        setup.chunks,
        setup.threads,
        setup.turn_tokens,
        is_reference,
    )


def _check_vocabularies(headers: Sequence[GgufHeader]) -> None:
    sizes = {header.path: _n_vocab(header) for header in headers}
    first = headers[0].path
    for path, size in sizes.items():
        if size != sizes[first]:
            raise RequestError(
                f"{path} has a vocabulary of {size:,} tokens and {first} one of "
                f"{sizes[first]:,}: they cannot be compared."
            )


def _n_vocab(header: GgufHeader) -> int:
    found = (t.shape[-1] for t in header.tensors if t.name == "token_embd.weight")
    return next(found, 0)


def _check_room(folder: Path, header: GgufHeader, setup: Setup) -> None:
    needed = setup.chunks * (setup.chunk_tokens // 2) * _n_vocab(header) * 4
    if shutil.disk_usage(folder).free < needed + MARGIN_BYTES:
        raise CatalogError(
            f"The predictions of the reference take {needed / 1e9:.1f} GB and {folder.parent} has "
            "less: use fewer --chunks, or set TMPDIR to a larger disk."
        )
