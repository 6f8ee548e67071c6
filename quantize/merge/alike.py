"""Whether checkpoints can be merged at all: the same tensors, the same words."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.errors import RequestError
from quantize.checkpoint.folder import Checkpoint, enumerated
from quantize.checkpoint.safetensors import FLOATS
from quantize.convert.vocab import Token, read_tokens


def check_alike(models: Sequence[Checkpoint]) -> None:
    """Raise RequestError with the first difference, by name."""
    first = models[0]
    for other in models[1:]:
        _check_words(first, other)
        _check_tensors(first, other)
    for tensor in first.tensors.values():
        if tensor.kind not in FLOATS:
            raise RequestError(f"{tensor.path} holds {tensor.name} as {tensor.kind}: no floats.")


def _check_words(a: Checkpoint, b: Checkpoint) -> None:
    sizes = a.config.get("vocab_size"), b.config.get("vocab_size")
    if sizes[0] != sizes[1]:
        raise RequestError(
            f"{a.folder} has a vocabulary of {sizes[0]:,} tokens and {b.folder} one of "
            f"{sizes[1]:,}: their embeddings cannot be merged."
        )
    for id, pair in enumerate(zip(_words(a), _words(b), strict=False)):
        if pair[0].text != pair[1].text:
            raise RequestError(
                f"Token {id} is {pair[0].text!r} in {a.folder} and {pair[1].text!r} in {b.folder}: "
                "their embeddings cannot be merged."
            )


def _words(model: Checkpoint) -> tuple[Token, ...]:
    """Empty where a checkpoint has no tokenizer: then only the sizes can be compared."""
    names = ("tokenizer.json", "tokenizer.model")
    if not any((model.folder / name).is_file() for name in names):
        return ()
    return read_tokens(model.folder, int(model.config["vocab_size"])).tokens


def _check_tensors(a: Checkpoint, b: Checkpoint) -> None:
    for one, other in ((a, b), (b, a)):
        lacking = [name for name in one.tensors if name not in other.tensors]
        if lacking:
            raise RequestError(
                f"{other.folder} lacks {enumerated(lacking)}, which {one.folder} has."
            )
    for name, tensor in a.tensors.items():
        if tensor.shape != b.tensors[name].shape:
            raise RequestError(
                f"{name} has the shape {tensor.shape} in {a.folder} and "
                f"{b.tensors[name].shape} in {b.folder}."
            )
