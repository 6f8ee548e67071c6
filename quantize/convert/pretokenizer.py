"""Which of llama.cpp's pre-tokenizers cuts text as a tokenizer.json says.

llama.cpp has no regular expressions of its own choosing: a GGUF names one of its built-in splits.
Here the split that tokenizer.json spells out is looked up; whether the two agree is then seen by
tokenising with both (`proof.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edge_agent.errors import NotSupported

ENGLISH = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
MARKED = r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+"
SIGNS = r" ?[^\s\p{L}\p{N}]+[\r\n]*"
MARKED_SIGNS = r" ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"
SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
CASED = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*"
)
# the steps of a tokenizer.json that decide where text is cut, and llama.cpp's name for them
SPLITS: Mapping[tuple[str, ...], str] = {
    (f"split {ENGLISH}|{WORDS}|\\p{{N}}|{SIGNS}|{SPACES}", "bytes"): "qwen2",
    (f"split {ENGLISH}|{MARKED}|\\p{{N}}|{MARKED_SIGNS}|{SPACES}", "bytes"): "qwen35",
    (f"split {ENGLISH}|{WORDS}|\\p{{N}}{{1,3}}|{SIGNS}|{SPACES}", "bytes"): "llama-bpe",
    (f"split {CASED}|{SPACES}", "bytes"): "tekken",
    ("digits", "words"): "smollm",
    ("words",): "gpt-2",
}


def pretokenizer_of(tokenizer: Mapping[str, Any]) -> str:
    """Raises NotSupported for a split that llama.cpp is not known to have."""
    steps = tuple(_steps(tokenizer.get("pre_tokenizer") or {}))
    if steps not in SPLITS:
        told = "; ".join(steps) or "nothing"
        raise NotSupported(
            f"The tokenizer cannot be mapped: it cuts text in a way ({told}) that none of "
            f"{', '.join(SPLITS.values())} does."
        )
    return SPLITS[steps]


def _steps(step: Mapping[str, Any]) -> Iterator[str]:
    kind = step.get("type")
    if kind == "Sequence":
        for inner in step.get("pretokenizers") or ():
            yield from _steps(inner)
    elif kind == "ByteLevel":
        yield "words" if step.get("use_regex", True) else "bytes"
    elif kind == "Digits":
        yield "digits" if step.get("individual_digits") else "numbers"
    elif kind == "Split":
        pattern = step.get("pattern") or {}
        kept = step.get("behavior") == "Isolated" and not step.get("invert")
        yield ("split " if kept else "odd split ") + str(pattern.get("Regex", pattern))
    else:
        yield str(kind)
