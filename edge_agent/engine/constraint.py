"""The home of llguidance: a grammar as a mask over the next token."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from llguidance import LLMatcher, LLTokenizer
from llguidance.llamacpp import lltokenizer_from_vocab
from numpy.typing import NDArray

from edge_agent.errors import GrammarError


def check_grammar(grammar: str) -> None:
    """Raise GrammarError when llguidance cannot honour `grammar` (Lark text or its JSON form)."""
    is_error, messages = LLMatcher.validate_grammar_with_warnings(grammar)
    if is_error:
        raise GrammarError(f"The grammar or schema cannot be honoured: {_reason(messages[0])}.")


def _reason(message: str) -> str:
    """llguidance's message as one line, without the excerpt of a grammar that no client wrote."""
    lines = [line.strip() for line in message.split("\n   1 | ")[0].splitlines() if line.strip()]
    first = re.sub(r"^at \d+\(\d+\): (failed to compile JSON schema: )?", "", lines[0])
    detail = next((line for line in lines[1:] if line.startswith("error: ")), "")
    return f"{first.rstrip(':.')}{detail and ': '}{detail.removeprefix('error: ')}"


def tokenizer_of(vocab: Any) -> LLTokenizer:
    """llguidance's tokenizer over a llama.cpp vocabulary; takes about a second at 152k tokens.

    Raises GrammarError when it cannot read the vocabulary.
    """
    try:
        return lltokenizer_from_vocab(vocab)
    except Exception as error:
        raise GrammarError(
            f"Grammars and schemas cannot be used with this model's vocabulary: {error}."
        ) from error


class Constraint:
    """The state of one grammar along one sequence."""

    def __init__(self, grammar: str, tokenizer: LLTokenizer) -> None:
        self._matcher = LLMatcher(tokenizer, grammar, log_level=0)
        self._mask = np.zeros((tokenizer.vocab_size + 31) // 32, np.int32)
        self._raise_error()

    def _raise_error(self) -> None:
        if self._matcher.is_error():
            kind = self._matcher.get_error().partition("\n")[0]
            why = "no text satisfies it" if kind == "NoExtensionBias" else kind
            raise GrammarError(f"The grammar or schema cannot be followed: {why}.")

    def apply(self, logits: NDArray[np.float32]) -> None:
        """Write -inf over every token the grammar does not allow next."""
        self._matcher.unsafe_compute_mask_ptr(self._mask.ctypes.data, self._mask.nbytes)
        self._raise_error()
        bits = np.unpackbits(self._mask.view(np.uint8), bitorder="little")[: len(logits)]
        np.putmask(logits[: len(bits)], bits == 0, -np.inf)
        logits[len(bits) :] = -np.inf

    def accept(self, token: int) -> list[int]:
        """Advance by a token; returns the tokens that must follow, already advanced over."""
        self._matcher.consume_token(token)
        self._raise_error()
        forced = [] if self._matcher.is_stopped() else self._matcher.compute_ff_tokens()
        if forced:
            self._matcher.consume_tokens(forced)
            self._raise_error()
        return list(forced)

    @property
    def finished(self) -> bool:
        """Whether the grammar is complete and nothing more may follow."""
        return bool(self._matcher.is_stopped())
