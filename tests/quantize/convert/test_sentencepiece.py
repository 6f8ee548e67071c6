from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from gguf import GGUFReader

from edge_agent.errors import BadModelFile
from quantize.context import Opening, opened
from quantize.convert.convert import convert
from quantize.convert.sentencepiece import BYTE, CONTROL, UNKNOWN, read_pieces
from quantize.convert.vocab import read_tokens
from tests.quantize.checkpoints import LLAMA, TEXTS, write_checkpoint, write_sentencepiece


@pytest.fixture(scope="module")
def spm_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_checkpoint(
        tmp_path_factory.mktemp("spm") / "spm", {**LLAMA, "bos_token_id": 1, "eos_token_id": 2}
    )
    write_sentencepiece(folder)
    return folder


@pytest.fixture(scope="module")
def library(spm_checkpoint: Path) -> Any:
    made = sentencepiece.SentencePieceProcessor()
    made.LoadFromFile(str(spm_checkpoint / "tokenizer.model"))
    return made


def test_pieces_are_those_of_the_library(spm_checkpoint: Path, library: Any) -> None:
    pieces = read_pieces(spm_checkpoint / "tokenizer.model")
    assert len(pieces) == library.vocab_size()
    for id, piece in enumerate(pieces):
        assert piece.text == library.IdToPiece(id)
        assert piece.score == pytest.approx(library.GetScore(id))
        assert (piece.type == BYTE) == library.IsByte(id)
        assert (piece.type == CONTROL) == library.IsControl(id)
        assert (piece.type == UNKNOWN) == library.IsUnknown(id)


def test_llama_cpp_cuts_text_as_the_library_does(
    spm_checkpoint: Path, library: Any, tmp_path: Path
) -> None:
    made = convert(spm_checkpoint, tmp_path / "out.gguf").path
    file = GGUFReader(made)
    tokens = file.fields["tokenizer.ggml.tokens"].contents()
    assert (tokens[380], tokens[383]) == ("<extra>", "[PAD383]")
    with opened(Opening(made, 64, 1)) as model:
        assert model.adds_bos
        for text in (*TEXTS, "🚀 unseen 漢字", "two\n\nlines  and   spaces"):
            assert model.tokens(text) == library.EncodeAsIds(text)


def write_as_json(folder: Path) -> None:
    """The same words as transformers keeps them where tokenizer.model is gone."""
    pieces = read_pieces(folder / "tokenizer.model")
    vocab = {piece.text: id for id, piece in enumerate(pieces)}
    merges = []
    for piece in pieces:
        for cut in range(1, len(piece.text)):
            pair = piece.text[:cut], piece.text[cut:]
            if piece.type == 1 and all(part in vocab for part in pair):
                merges.append((-piece.score, *pair))
    tokenizer = {
        "version": "1.0",
        "added_tokens": [
            {
                "id": id,
                "content": text,
                "special": True,
                "normalized": False,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
            }
            for id, text in enumerate(("<unk>", "<s>", "</s>"))
        ],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
            ],
        },
        "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {
            "type": "BPE",
            "unk_token": "<unk>",
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": vocab,
            "merges": [list(pair) for _, *pair in sorted(merges)],
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False))


def test_without_its_model_the_order_of_merges_is_kept(
    spm_checkpoint: Path, library: Any, tmp_path: Path
) -> None:
    folder = write_checkpoint(tmp_path / "c", LLAMA)
    write_sentencepiece(folder)
    write_as_json(folder)
    (folder / "tokenizer.model").unlink()
    made = convert(folder, tmp_path / "out.gguf").path  # proven against tokenizer.json
    with opened(Opening(made, 64, 1)) as model:
        for text in TEXTS:
            assert model.tokens(text) == library.EncodeAsIds(text)


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x03ab"])
def test_what_is_no_model_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tokenizer.model"
    path.write_bytes(content)
    with pytest.raises(BadModelFile, match="not a SentencePiece model"):
        read_pieces(path)


def test_a_cut_model_is_said(spm_checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.model"
    path.write_bytes((spm_checkpoint / "tokenizer.model").read_bytes()[:3000])
    with pytest.raises(BadModelFile, match="or a cut one"):
        read_pieces(path)


def test_added_tokens_are_marks_or_words_of_a_user(spm_checkpoint: Path) -> None:
    tokens = read_tokens(spm_checkpoint, 384).tokens
    assert [token.type for token in tokens[:3]] == [3, 3, 3]
    assert (tokens[380].type, tokens[381].type) == (4, 5)
