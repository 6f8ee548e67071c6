"""Writes the tokenizer and the chat template into a GGUF."""

from __future__ import annotations

import logging
from pathlib import Path

import gguf
from gguf import GGUFWriter

from edge_agent.errors import BadModelFile
from quantize.checkpoint.folder import read_json
from quantize.convert.family import Family, Hparams
from quantize.convert.vocab import TokenList

SMOLLM_VOCAB = 49_152  # llama.cpp's converter writes add_bos_token = false for llamas of this size


def write_tokenizer(
    writer: GGUFWriter, folder: Path, family: Family, hparams: Hparams, vocab: TokenList
) -> None:
    """Tokens, merges, marks and template. Raises BadModelFile where a file of them is damaged."""
    is_bpe = vocab.model == "gpt2"
    writer.add_tokenizer_model(vocab.model)
    writer.add_tokenizer_pre(vocab.pre)
    writer.add_token_list([token.text for token in vocab.tokens])
    if not is_bpe:
        writer.add_token_scores([token.score for token in vocab.tokens])
    writer.add_token_types([token.type for token in vocab.tokens])
    marks = _marks(folder, is_bpe, len(vocab.tokens))
    if is_bpe and not marks.merges:
        raise BadModelFile(f"The tokenizer in {folder} has no merges: it cannot be converted.")
    _quietly(marks, writer)
    if family.llama_keys:
        _write_llama_habits(writer, folder, hparams)


def _marks(folder: Path, is_bpe: bool, n_vocab: int) -> gguf.SpecialVocab:
    try:
        marks = gguf.SpecialVocab(folder, load_merges=is_bpe, n_vocab=n_vocab)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise BadModelFile(f"The tokenizer in {folder} is damaged: {error}.") from None
    if is_bpe and _is_byte_level(folder):
        for kind in ("bos", "eos"):  # as newer releases of the library do
            marks.add_special_token.setdefault(kind, False)
    return marks


def _is_byte_level(folder: Path) -> bool:
    after = read_json(folder / "tokenizer.json").get("post_processor") or {}
    return any(step.get("type") == "ByteLevel" for step in after.get("processors", [after]))


def _quietly(marks: gguf.SpecialVocab, writer: GGUFWriter) -> None:
    logger = logging.getLogger("gguf.vocab")
    before = logger.level
    logger.setLevel(logging.ERROR)  # it tells what it skips, such as a mask token: nothing to do
    try:
        marks.add_to_gguf(writer, quiet=True)
    finally:
        logger.setLevel(before)


def _write_llama_habits(writer: GGUFWriter, folder: Path, hparams: Hparams) -> None:
    path = folder / "tokenizer_config.json"
    prefix = read_json(path).get("add_prefix_space") if path.is_file() else None
    if prefix is not None:
        writer.add_add_space_prefix(bool(prefix))
    if hparams.n_vocab == SMOLLM_VOCAB:
        writer.add_add_bos_token(False)
