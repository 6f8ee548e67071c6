"""Sentence embeddings on the CPU: a small ONNX encoder, mean-pooled and normalised."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from edge_agent.errors import BadModelFile

MAX_TOKENS = 256  # what all-MiniLM-L6-v2 was trained to read (its model card)
BATCH_SIZE = 16
MODEL_FILES = ("model_int8.onnx", "model.int8.onnx", "model_quantized.onnx", "model.onnx")

Vectors = NDArray[np.float32]


class TextEmbedder(Protocol):
    """Whatever turns texts into vectors whose dot product is their likeness."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(len(texts), dimension) float32, each row of length 1."""
        ...


@dataclass(frozen=True, slots=True)
class Read:
    """vectors: one row of length 1 for each text. n_tokens: of all texts, with the two that the
    model wants around each piece."""

    vectors: Vectors
    n_tokens: int


class Embedder:
    """The encoder in `directory`: `tokenizer.json` beside an int8 model or `model.onnx`.

    It is opened at the first use: who only chats does without its 50 MB. `encode` takes
    milliseconds a sentence: call it in a thread from async code. One instance may be used from
    several threads. Raises BadModelFile when the files are missing, and `encode` when they are
    broken.
    """

    def __init__(self, directory: Path, threads: int = 1) -> None:
        self._directory = directory
        self._model = _model_file(directory)
        self._threads = threads
        self._opening = threading.Lock()
        self._opened: _Opened | None = None

    def _open(self) -> _Opened:
        with self._opening:
            if self._opened is None:
                self._opened = _opened(self._model, self._directory, self._threads)
            return self._opened

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Each text's first 256 tokens as a vector of length 1; an empty list gives (0, n)."""
        model = self._open()
        encodings = model.tokenizer.encode_batch(list(texts))
        order = sorted(range(len(encodings)), key=lambda index: len(encodings[index].ids))
        vectors = np.zeros((len(encodings), model.dimension), dtype=np.float32)
        for start in range(0, len(order), BATCH_SIZE):
            batch = order[start : start + BATCH_SIZE]
            vectors[batch] = model.pooled([encodings[index] for index in batch])
        return vectors

    def read(self, texts: Sequence[str]) -> Read:
        """Like `encode`, but of all of each text, and the same whatever stands beside it.

        A longer text is read in pieces of 256 tokens: its vector is the mean of theirs, weighted by
        their tokens. Each piece is computed alone, since int8 activations are scaled per batch; on
        one thread that costs a half more for short texts and less for long ones (measured).
        """
        model = self._open()
        clean = [text.encode("utf-8", "replace").decode() for text in texts]  # of half characters
        pieces = [[e, *e.overflowing] for e in model.tokenizer.encode_batch(clean)]
        vectors = np.zeros((len(pieces), model.dimension), dtype=np.float32)
        for row, text in enumerate(pieces):
            for piece in text:
                vectors[row] += len(piece.ids) * model.pooled([piece])[0]
        return Read(_unit(vectors), sum(len(piece.ids) for text in pieces for piece in text))


@dataclass(frozen=True, slots=True)
class _Opened:
    """What a loaded model needs to be run."""

    tokenizer: Tokenizer
    session: onnxruntime.InferenceSession
    inputs: frozenset[str]
    dimension: int

    def pooled(self, encodings: Sequence[Encoding]) -> Vectors:
        """Mean of the token vectors under the mask, as the model was trained."""
        width = max(len(encoding.ids) for encoding in encodings)
        ids = np.zeros((len(encodings), width), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding.ids)] = encoding.ids
            mask[row, : len(encoding.ids)] = 1
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        feed = {name: array for name, array in given.items() if name in self.inputs}
        states = self.session.run(None, feed)[0]
        weights = mask[:, :, None].astype(np.float32)
        return _unit((states * weights).sum(axis=1) / weights.sum(axis=1))


def _unit(rows: Vectors) -> Vectors:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, 1e-12), dtype=np.float32)


def _opened(model: Path, directory: Path, threads: int) -> _Opened:
    try:
        tokenizer = _tokenizer(directory / "tokenizer.json")
        session = onnxruntime.InferenceSession(
            str(model), _options(threads), providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # both libraries raise bare Exceptions of their own
        raise BadModelFile(
            f"The embedding model in {directory} cannot be loaded ({_first_line(error)}): "
            "remove the folder and pull it again."
        ) from error
    inputs = frozenset(entry.name for entry in session.get_inputs())
    return _Opened(tokenizer, session, inputs, int(session.get_outputs()[0].shape[-1]))


def _model_file(directory: Path) -> Path:
    for name in MODEL_FILES:
        if (directory / name).is_file():
            return directory / name
    raise BadModelFile(f"There is no embedding model in {directory}: pull it first.")


def _tokenizer(path: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()  # batches are padded to their own longest text
    return tokenizer


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # kept for the next batch, 40 long texts would hold 300 MB for ever
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    options.add_session_config_entry("session.disable_prepacking", "1")  # 8 MB, no slower
    # a spinning pool would take the cores that the model decodes on
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return options


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
