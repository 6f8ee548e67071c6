"""An importance matrix as a file: llama.cpp's GGUF format, which its tools read and write.

For each weight it holds, per column, the sum of the squares of the activations that were multiplied
with it (`NAME.in_sum2`) and how many there were (`NAME.counts`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader, GGUFValueType, GGUFWriter

from edge_agent.catalog.gguf import GgufHeader
from edge_agent.errors import BadModelFile, RequestError
from quantize.checkpoint.safetensors import Floats
from quantize.whole import whole

SUMS, COUNTS = ".in_sum2", ".counts"
DATASETS, CHUNKS, CHUNK_TOKENS = "imatrix.datasets", "imatrix.chunk_count", "imatrix.chunk_size"


@dataclass(frozen=True, slots=True)
class Importance:
    """sums: per weight the sum of squares per column. counts: activations per weight.

    chunk_tokens: tokens of one pass over the model; n_chunks: how many there were.
    """

    path: Path
    sums: Mapping[str, Floats]
    counts: Mapping[str, Floats]
    datasets: Sequence[str]
    n_chunks: int
    chunk_tokens: int

    @property
    def means(self) -> dict[str, Floats]:
        """The mean square per column: what the quantiser weighs errors with."""
        found = {}
        for name, sums in self.sums.items():
            counts = self.counts[name].reshape(-1, 1)
            rows = sums.reshape(len(counts), -1)
            seen = np.where(counts > 0, rows / np.maximum(counts, 1), 1.0)
            found[name] = np.ascontiguousarray(seen, np.float32).reshape(-1)
        return found

    def check(self, model: GgufHeader) -> None:
        """Raise RequestError unless it was made with a model of these shapes."""
        widths = {tensor.name: tensor.shape[0] for tensor in model.tensors}
        known = [name for name in self.sums if name in widths]
        if not known:
            raise RequestError(f"{self.path} belongs to another model than {model.path}.")
        for name in known:
            columns = self.sums[name].size // max(1, self.counts[name].size)
            if columns != widths[name]:
                raise RequestError(
                    f"{self.path} belongs to another model than {model.path}: {name} has "
                    f"{columns} columns there and {widths[name]} here."
                )


def write_importance(made: Importance) -> None:
    """Write it to its path, whole or not at all."""
    with whole(made.path) as part:
        writer = GGUFWriter(part, "imatrix")
        writer.kv_data[0].clear()  # an imatrix says no architecture
        writer.add_type("imatrix")
        writer.add_key_value(
            DATASETS, list(made.datasets), GGUFValueType.ARRAY, GGUFValueType.STRING
        )
        writer.add_uint32(CHUNKS, made.n_chunks)
        writer.add_uint32(CHUNK_TOKENS, made.chunk_tokens)
        for name in sorted(made.sums):
            counts = made.counts[name].reshape(-1, 1)
            writer.add_tensor(name + SUMS, made.sums[name].reshape(len(counts), -1))
            writer.add_tensor(name + COUNTS, counts)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def read_importance(path: Path) -> Importance:
    """Raises BadModelFile where the file is none, or says nothing."""
    try:
        file = GGUFReader(path)
        found = {tensor.name: np.array(tensor.data, np.float32) for tensor in file.tensors}
    except FileNotFoundError:
        raise BadModelFile(f"{path} does not exist: `imatrix` makes it.") from None
    except (ValueError, IndexError, OSError, KeyError) as error:
        raise BadModelFile(f"{path} is no importance matrix in GGUF: {error}.") from None
    names = [name.removesuffix(SUMS) for name in found if name.endswith(SUMS)]
    if not names or any(name + COUNTS not in found for name in names):
        raise BadModelFile(f"{path} is no importance matrix: it has no sums and counts.")
    sums = {name: found[name + SUMS].reshape(-1) for name in names}
    counts = {name: found[name + COUNTS].reshape(-1) for name in names}
    n_chunks, chunk_tokens = (int(_told(file, key) or 0) for key in (CHUNKS, CHUNK_TOKENS))
    return Importance(path, sums, counts, _told(file, DATASETS) or [], n_chunks, chunk_tokens)


def _told(file: GGUFReader, key: str) -> Any:
    field = file.get_field(key)
    return field.contents() if field is not None else None
