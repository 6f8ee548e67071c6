"""The tokens of a checkpoint as a GGUF holds them: texts, types and, for SentencePiece, scores."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_agent.errors import BadModelFile, NotSupported
from quantize.checkpoint.folder import read_json
from quantize.convert import sentencepiece as sp
from quantize.convert.pretokenizer import pretokenizer_of

BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")
ADDED_SCORE, PADDING_SCORE = -1000.0, -10000.0  # as llama.cpp's converter writes them
LOOKS_SPECIAL = (("<|", "|>"), ("<｜", "｜>"), ("<unused", ">"))
ALWAYS_SPECIAL = ("<pad>", "<mask>", "<2mass>", "[@BOS@]")


@dataclass(frozen=True, slots=True)
class Token:
    """type: of sentencepiece.py. score counts for SentencePiece only."""

    text: str
    type: int
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class TokenList:
    """model: `gpt2` for byte-level BPE, `llama` for SentencePiece. pre: llama.cpp's pre-tokenizer.

    Merges are read by whoever writes a `gpt2`.
    """

    model: str
    pre: str
    tokens: tuple[Token, ...]


def read_tokens(folder: Path, n_vocab: int) -> TokenList:
    """The vocabulary of a checkpoint, filled up to `n_vocab` as the embedding is.

    Raises NotSupported for a tokenizer that cannot be mapped, BadModelFile for a damaged one.
    """
    if (folder / "tokenizer.model").is_file():
        return TokenList("llama", "default", _sentencepiece(folder, n_vocab))
    if not (folder / "tokenizer.json").is_file():
        raise NotSupported(
            f"{folder} holds neither tokenizer.json nor tokenizer.model: save its tokenizer there."
        )
    tokenizer = read_json(folder / "tokenizer.json")
    model = tokenizer.get("model") or {}
    if model.get("type") != "BPE":
        raise NotSupported(
            f"The tokenizer cannot be mapped: it is a {model.get('type')}; byte-level BPE and "
            "SentencePiece can be converted."
        )
    if model.get("byte_fallback"):
        return TokenList("llama", "default", _fallback_bpe(folder, tokenizer, n_vocab))
    return TokenList("gpt2", pretokenizer_of(tokenizer), _byte_bpe(folder, tokenizer, n_vocab))


def _byte_bpe(folder: Path, tokenizer: Mapping[str, Any], n_vocab: int) -> tuple[Token, ...]:
    texts = dict(tokenizer["model"].get("vocab") or {})
    found = {id: Token(text, sp.NORMAL) for text, id in texts.items()}
    for id, added in _added(folder, tokenizer).items():
        found[id] = _added_token(added, 0.0)
    return _filled(found, n_vocab, 0.0, folder)


def _sentencepiece(folder: Path, n_vocab: int) -> tuple[Token, ...]:
    pieces = sp.read_pieces(folder / "tokenizer.model")
    found = {id: _of_piece(piece) for id, piece in enumerate(pieces)}
    if (folder / "added_tokens.json").is_file():
        for text, id in read_json(folder / "added_tokens.json").items():
            found[int(id)] = Token(str(text), sp.USER_DEFINED, ADDED_SCORE)
    for id, added in _added(folder, {}).items():
        found[id] = _added_token(added, ADDED_SCORE)
    return _filled(found, n_vocab, PADDING_SCORE, folder)


def _of_piece(piece: sp.Piece) -> Token:
    kind = sp.NORMAL if piece.type == sp.USER_DEFINED else piece.type
    return Token(piece.text, kind, piece.score)


def _fallback_bpe(folder: Path, tokenizer: Mapping[str, Any], n_vocab: int) -> tuple[Token, ...]:
    """A SentencePiece BPE with only its tokenizer.json left: what is merged first scores most."""
    model = tokenizer["model"]
    ranks: dict[str, int] = {}
    for rank, merge in enumerate(model.get("merges") or ()):
        ranks.setdefault("".join(merge.split(" ") if isinstance(merge, str) else merge), rank)
    added = _added(folder, tokenizer)
    found = {
        id: Token(text, sp.BYTE if BYTE.fullmatch(text) else sp.NORMAL, -float(ranks.get(text, 0)))
        for text, id in (model.get("vocab") or {}).items()
    }
    for id, entry in added.items():
        found[id] = _added_token(entry, ADDED_SCORE)
    unknown = model.get("unk_token")
    if unknown in (model.get("vocab") or {}):
        id = model["vocab"][unknown]
        found[id] = replace(found[id], type=sp.UNKNOWN)
    return _filled(found, n_vocab, PADDING_SCORE, folder)


def _added(folder: Path, tokenizer: Mapping[str, Any]) -> dict[int, Mapping[str, Any]]:
    """Added tokens by id: those of tokenizer.json, and those only tokenizer_config.json knows."""
    found: dict[int, Mapping[str, Any]] = {}
    if (folder / "tokenizer_config.json").is_file():
        told = read_json(folder / "tokenizer_config.json").get("added_tokens_decoder") or {}
        found.update({int(id): added for id, added in told.items()})
    found.update({int(added["id"]): added for added in tokenizer.get("added_tokens") or ()})
    return found


def _added_token(added: Mapping[str, Any], score: float) -> Token:
    text = str(added["content"])
    if added.get("special") or looks_special(text):
        return Token(text, sp.CONTROL, score)
    return Token(text.replace("▁", " "), sp.USER_DEFINED, score)


def looks_special(text: str) -> bool:
    """Whether a token is a mark though its checkpoint does not say so; the same as llama.cpp's
    converter finds."""
    ends = any(text.startswith(first) and text.endswith(last) for first, last in LOOKS_SPECIAL)
    return ends or text in ALWAYS_SPECIAL


def _filled(
    found: Mapping[int, Token], n_vocab: int, score: float, folder: Path
) -> tuple[Token, ...]:
    if not found:
        raise BadModelFile(f"The tokenizer in {folder} has no tokens.")
    if max(found) >= n_vocab:
        raise BadModelFile(
            f"The tokenizer in {folder} has a token {max(found)} where the embedding has "
            f"{n_vocab:,} rows: it belongs to another model, or the embedding was not enlarged."
        )
    return tuple(found.get(id) or Token(f"[PAD{id}]", sp.UNUSED, score) for id in range(n_vocab))
