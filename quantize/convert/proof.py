"""Whether llama.cpp cuts text with the written GGUF as the checkpoint's own tokenizer does."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llama_cpp import llama_cpp as lib
from tokenizers import Tokenizer

from edge_agent.errors import BadModelFile
from quantize.hush import hushed

SHOWN = 60
TEXTS = (
    "The quick brown fox jumps over the lazy dog, doesn't it? WE'LL see; they've 3 of 1,234,567.",
    "def f(x):\n    if x > 10:\n\n\t\treturn x**2  # squares\n\n\n    return {'a': [1, 22, 333]}\n",
    "Wien: Straßenbahn, größer. Où est l'œuvre ? ¿Qué pasó mañana? Đường đi ở đâu vậy?",
    "2023年の東京は暑かった。人口约为1400万。서울은 크다. Москва́ не сразу строилась.",
    "العربية ١٢٣ و हिन्दी ४५६ ไทย ๗๘๙  …  «guillemets» — dash–dash “quotes”",
    "🚀 emoji 🧑‍🔬👍🏽 and ✅ marks",
    "==> a/b//c:d;e@f.g ^^ ~~ %% $$ ## __init__ snake_case camelCase",
    "  leading, trailing   \n \n  \t tabs\t\tand\r\nlines\n",
    '<tool_call>\n{"name": "search", "arguments": {"query": ["q1"]}}\n</tool_call>',
)


def prove(made: Path, folder: Path) -> None:
    """Tokenise `TEXTS` with both; a checkpoint without tokenizer.json cannot be compared.

    Raises BadModelFile with the first text on which they differ, or where llama.cpp refuses the
    file.
    """
    own = folder / "tokenizer.json"
    if not own.is_file():
        return
    tokenizer = Tokenizer.from_file(str(own))
    with _vocab(made) as vocab:
        for text in TEXTS:
            wanted = tokenizer.encode(text, add_special_tokens=False).ids
            if (found := _cut(vocab, text)) != wanted:
                raise BadModelFile(_difference(text, wanted, found))


@contextmanager
def _vocab(path: Path) -> Iterator[Any]:
    params = lib.llama_model_default_params()
    params.vocab_only = True
    with hushed() as said:
        lib.llama_backend_init()
        model = lib.llama_model_load_from_file(str(path).encode(), params)
        if not model:
            reason = said[-1] if said else "it gave no reason"
            raise BadModelFile(f"llama.cpp does not read what was made of the tokenizer: {reason}")
        try:
            yield lib.llama_model_get_vocab(model)
        finally:
            lib.llama_model_free(model)


def _cut(vocab: Any, text: str) -> list[int]:
    data = text.encode()
    ids = (ctypes.c_int32 * (len(data) + 16))()
    n = lib.llama_tokenize(vocab, data, len(data), ids, len(ids), False, True)
    return list(ids[: max(n, 0)])


def _difference(text: str, wanted: list[int], found: list[int]) -> str:
    at = next(
        (i for i, pair in enumerate(zip(wanted, found, strict=False)) if pair[0] != pair[1]),
        min(len(wanted), len(found)),
    )
    return (
        f"The tokenizer cannot be mapped: of {text[:SHOWN]!r} llama.cpp makes {found[at : at + 4]} "
        f"where the checkpoint's own makes {wanted[at : at + 4]} (token {at}); --unproven converts "
        "it nevertheless."
    )
