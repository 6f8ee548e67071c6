"""The heart of `convert`: a checkpoint's folder in, one GGUF out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGUFWriter

from quantize.checkpoint.folder import open_checkpoint
from quantize.convert.family import Family, family_of, hparams_of
from quantize.convert.header import write_about, write_hparams
from quantize.convert.plan import Planned, plan, type_of
from quantize.convert.proof import prove
from quantize.convert.stream import pieces
from quantize.convert.tokenizer import write_tokenizer
from quantize.convert.vocab import read_tokens
from quantize.progress import Progress, silent
from quantize.whole import whole

WEIGHTS = np.dtype(np.float32)  # the shapes count weights, not the bytes of packed ones


@dataclass(frozen=True, slots=True)
class Converted:
    """What was written. arch: llama.cpp's name of it."""

    path: Path
    arch: str
    n_tensors: int
    n_weights: int
    n_bytes: int


def convert(
    folder: Path,
    target: Path,
    type_name: str = "bf16",
    progress: Progress = silent,
    proven: bool = True,
) -> Converted:
    """Write the checkpoint in `folder` to `target`, which appears when it is whole.

    Memory stays at a few times stream.AT_ONCE_BYTES and the vocabulary, whatever the model's size.
    proven: refuse a tokenizer that llama.cpp reads differently. Raises RequestError, NotSupported,
    BadModelFile and CatalogError (disk), each before anything is left at `target`.
    """
    type, file_type = type_of(type_name)
    checkpoint = open_checkpoint(folder)
    family = family_of(checkpoint)
    hparams = hparams_of(checkpoint, family)
    tensors = plan(checkpoint, family, hparams, type)
    vocab = read_tokens(folder, hparams.n_vocab)
    with whole(target, sum(tensor.n_bytes for tensor in tensors)) as part:
        writer = GGUFWriter(part, family.arch)
        write_about(writer, folder.resolve(), tensors)
        write_hparams(writer, family, hparams, file_type)
        write_tokenizer(writer, folder, family, hparams, vocab)
        write_tensors(writer, tensors, progress)
        if proven:
            prove(part, folder)
    return _told(target, family, tensors)


def write_tensors(writer: GGUFWriter, tensors: Sequence[Planned], progress: Progress) -> None:
    """The header and the tensors; the file is closed at the end, however it comes."""
    try:
        for tensor in tensors:
            writer.add_tensor_info(tensor.name, tensor.shape, WEIGHTS, tensor.n_bytes, tensor.type)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        _write_data(writer, tensors, progress)
    finally:
        writer.close()


def _write_data(writer: GGUFWriter, tensors: Sequence[Planned], progress: Progress) -> None:
    (file,) = writer.fout or []
    total, done = sum(tensor.n_bytes for tensor in tensors), 0
    for tensor in tensors:
        writer.write_padding(file, file.tell())
        for piece in pieces(tensor):
            file.write(piece.data)
            done += piece.nbytes
            progress("convert", done, total)
    writer.write_padding(file, file.tell())


def _told(target: Path, family: Family, tensors: Sequence[Planned]) -> Converted:
    weights = sum(math.prod(tensor.shape) for tensor in tensors)
    return Converted(target, family.arch, len(tensors), weights, target.stat().st_size)
