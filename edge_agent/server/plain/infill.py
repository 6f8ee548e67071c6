"""What stands between two texts: the prompt that asks for it, in the marks of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge_agent.chat.text import TextModel
from edge_agent.errors import NotSupported
from edge_agent.server.plain.schemas import Extra

# Spellings of the marks before the prefix, the suffix and the middle, by family.
MARKS: Sequence[tuple[str, str, str]] = (
    ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),  # Qwen, CodeGemma
    ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),  # StarCoder
    ("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),
    ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
    ("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"),  # GLM
    ("▁<PRE>", "▁<SUF>", "▁<MID>"),  # CodeLlama
)
FILES = (("<|repo_name|>", "<|file_sep|>"), ("<repo_name>", "<file_sep>"))
REPOSITORY, FILE = "project", "file"  # names of what has none
LEFT_FOR_ANSWER = 4  # a part of the window, where the request names no limit


@dataclass(frozen=True, slots=True)
class Gap:
    """Two texts, the beginning of what stands between them, and files it may refer to."""

    prefix: str
    suffix: str
    middle: str = ""
    files: tuple[Extra, ...] = ()


def filled(gap: Gap, texts: TextModel, n_ctx: int, limit: int | None) -> tuple[str | int, ...]:
    """The token ids of the prompt, cut to what fits beside an answer of `limit` tokens: the prefix
    loses its beginning, the suffix its end, and files go before both do.

    Raises NotSupported where the model was not trained for it.
    """
    before, after, between = _marks(texts)
    middle = texts.encode(gap.middle, special=False)
    answer = limit if limit is not None and limit > 0 else n_ctx // LEFT_FOR_ANSWER
    room = max(n_ctx - min(answer, n_ctx // 2) - len(middle) - 8, 8)
    prefix = texts.encode(gap.prefix, special=False)
    suffix = texts.encode(gap.suffix, special=False)[: max(room // 4, room - len(prefix))]
    prefix = prefix[-(room - min(len(suffix), room // 4)) :] if prefix else []
    suffix = suffix[: room - len(prefix)]
    files = _files(gap.files, texts)
    left = room - len(prefix) - len(suffix)
    kept = files[-left:] if left > 0 else []
    return (*texts.bos_ids, *kept, before, *prefix, *middle, after, *suffix, between)


def _marks(texts: TextModel) -> tuple[int, int, int]:
    for spelled in MARKS:
        before, after, between = map(texts.token_id, spelled)
        if before is not None and after is not None and between is not None:
            return before, after, between
    raise NotSupported(
        "Infill is not supported by this model: its vocabulary has no marks for it. Use a model "
        "such as Qwen2.5-Coder."
    )


def _files(files: Sequence[Extra], texts: TextModel) -> list[int]:
    """The files in the way of a repository, where the model has marks for that."""
    marks = next((marks for marks in FILES if texts.token_id(marks[1]) is not None), None)
    if not files:
        return []
    if marks is None:
        return [id for file in files for id in texts.encode(f"{file.text}\n\n", special=False)]
    repository, separator = map(texts.token_id, marks)
    ids: list[int] = []
    if repository is not None:
        ids += [repository, *texts.encode(f"{REPOSITORY}\n", special=False)]
    for file in (*files, Extra(filename=FILE, text="")):
        assert separator is not None
        ids += [separator, *texts.encode(f"{file.filename}\n{file.text}", special=False)]
    return ids
