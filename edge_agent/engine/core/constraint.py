"""The home of llguidance: a grammar as a mask over the next token.

Grammars come as llguidance's Lark text or its JSON form (docs/syntax.md of llguidance).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from llguidance import LLMatcher, LLParserLimits, LLTokenizer, regex_to_lark
from llguidance.llamacpp import lltokenizer_from_vocab
from numpy.typing import NDArray

from edge_agent.engine.core.closing import Closing
from edge_agent.errors import GrammarError

EMBEDDED = "text"  # the name of a grammar inside another
# llguidance follows what refers to what by recursion, and a stack that overflows ends the process:
# with 8 MiB, beyond some 1,500 rules of a grammar or 1,000 references of a schema (measured, 1.9.1)
MAX_RULES = 600
MAX_REFERENCES = 300
# what a mask may cost: an ambiguous grammar that is read by characters takes ten times llguidance's
# default of 50,000; at 20 a microsecond this is 25 ms
MAX_ITEMS = 500_000


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


def lark_of_regex(regex: str) -> str:
    """The grammar of the texts that match `regex` (Rust's syntax) from beginning to end."""
    return f"start: /{regex_to_lark(regex)}/\n" if regex else 'start: ""\n'


def searching(pattern: str) -> str:
    """A regex of whole texts in which `pattern` of a JSON Schema is found, for Lark's slashes.

    Classes are of ASCII, as in the regexes of ECMAScript that JSON Schema means.
    """
    begins, ends = pattern.startswith("^"), re.search(r"(?<!\\)(\\\\)*\$$", pattern) is not None
    inner = pattern[begins : len(pattern) - ends]
    rest = "(?s:.*)"
    return f"{'' if begins else rest}({regex_to_lark(inner, 'dw')}){'' if ends else rest}"


def check_size(n_rules: int) -> None:
    """Raise GrammarError when a grammar has more rules than llguidance can safely read."""
    if n_rules > MAX_RULES:
        raise GrammarError(f"The grammar has {n_rules} rules: at most {MAX_RULES} are read.")


def embed(outer: str, inner: str) -> str:
    """`outer`, in which `@text` stands for the grammar `inner`; both are Lark text."""
    grammars = [{"lark_grammar": outer}, {"name": EMBEDDED, "lark_grammar": inner}]
    return json.dumps({"grammars": grammars}, ensure_ascii=False)


def tokenizer_of(vocab: Any, eog: Sequence[int] = ()) -> LLTokenizer:
    """llguidance's tokenizer over a llama.cpp vocabulary; takes about a second at 152k tokens.

    eog: the ids that may end a generation wherever a grammar is complete; without them only the
    vocabulary's end-of-sequence id does. Raises GrammarError when it cannot read the vocabulary.
    """
    try:
        return lltokenizer_from_vocab(vocab, eos_token=list(eog) or None)
    except Exception as error:
        raise GrammarError(
            f"Grammars and schemas cannot be used with this model's vocabulary: {error}."
        ) from error


class Constraint:
    """The state of one grammar along one sequence."""

    def __init__(
        self, grammar: str, tokenizer: LLTokenizer, closing: Closing | None = None
    ) -> None:
        limits = LLParserLimits(step_max_items=MAX_ITEMS)
        self._matcher = LLMatcher(tokenizer, grammar, log_level=0, limits=limits)
        self._n_vocab = int(tokenizer.vocab_size)
        self._mask = np.zeros((self._n_vocab + 31) // 32, np.int32)
        self._closing = closing
        self._letter = tokenizer.tokenize_str("z")[0]
        self._raise_error()

    def _raise_error(self) -> None:
        if self._matcher.is_error():
            kind = self._matcher.get_error().partition("\n")[0]
            why = "no text satisfies it" if kind == "NoExtensionBias" else kind
            raise GrammarError(f"The grammar or schema cannot be followed: {why}.")

    def apply(self, logits: NDArray[np.float32], late: bool = False) -> None:
        """Write -inf over every token the grammar does not allow next.

        late: and over those that do not bring it to its end, where some do.
        """
        self._matcher.unsafe_compute_mask_ptr(self._mask.ctypes.data, self._mask.nbytes)
        self._raise_error()
        banned = np.unpackbits((~self._mask).view(np.uint8), bitorder="little")[: len(logits)]
        np.copyto(logits[: len(banned)], -np.inf, where=banned.view(np.bool_))
        logits[len(banned) :] = -np.inf
        if late and self._closing is not None:
            self._closing.prefer(logits)

    def allows(self, token: int) -> bool:
        """Whether `token` may come next; an end-of-generation id may where the text is complete."""
        return self.n_valid((token,)) == 1

    def n_valid(self, ids: Sequence[int]) -> int:
        """How many leading ids the grammar accepts from here; it does not advance."""
        known = next((i for i, id in enumerate(ids) if not 0 <= id < self._n_vocab), len(ids))
        return int(self._matcher.validate_tokens(list(ids[:known])))

    def accept(self, token: int) -> list[int]:
        """Advance by a token; returns the tokens that must follow, already advanced over.

        They may hold an end-of-generation id where the grammar asks for one. Raises GrammarError
        when the token is not allowed; the constraint is of no use then.
        """
        self._matcher.consume_token(token)
        self._raise_error()
        return self.forced()

    def consume(self, ids: Sequence[int]) -> list[int]:
        """Advance over ids that were not sampled; returns the tokens that must follow, as `accept`.

        Raises GrammarError, without advancing, when the grammar does not allow them.
        """
        n = self.n_valid(ids)
        if n < len(ids):
            raise GrammarError(
                f"The grammar or schema does not allow the tokens that were to be written next: "
                f"it accepts {n} of {len(ids)}."
            )
        self._matcher.consume_tokens(list(ids))
        self._raise_error()
        return self.forced()

    def forced(self) -> list[int]:
        """The tokens that must come next, advanced over; before the first token too."""
        ids = [] if self._matcher.is_stopped() else self._matcher.compute_ff_tokens()
        if ids:
            self._matcher.consume_tokens(ids)
            self._raise_error()
        return list(ids)

    @property
    def complete(self) -> bool:
        """Whether the text so far satisfies the grammar; more may follow unless `finished`."""
        return bool(self._matcher.is_accepting())

    @property
    def settled(self) -> bool:
        """Whether the text so far satisfies the grammar, and no free text may follow."""
        return self.complete and not self.allows(self._letter)

    @property
    def finished(self) -> bool:
        """Whether the grammar is complete and nothing more may follow."""
        return bool(self._matcher.is_stopped())
