"""What a grammar allows, forces and refuses, over a vocabulary of bytes and over a real one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_cpp import llama_cpp as lib
from llguidance import LLTokenizer, TokenizerWrapper

from edge_agent.engine.core.constraint import (
    Constraint,
    check_grammar,
    embed,
    lark_of_regex,
    tokenizer_of,
)
from edge_agent.errors import GrammarError

from ..native import opened_vocab

EOS, MARK = 256, 257


class Bytes:
    """One token for each byte, an end of text and a marker."""

    eos_token_id = EOS
    bos_token_id = MARK
    special_token_ids = (EOS, MARK)
    tokens = (*(bytes([i]) for i in range(256)), b"\xff<eos>", b"\xff<mark>")

    def __call__(self, text: bytes | str) -> list[int]:
        return list(text.encode() if isinstance(text, str) else text)


TOKENIZER = LLTokenizer(TokenizerWrapper(Bytes()))


def constraint(grammar: str) -> Constraint:
    return Constraint(grammar, TOKENIZER)


def ids(text: str) -> list[int]:
    return list(text.encode())


def left(one: Constraint, n_vocab: int = len(Bytes.tokens)) -> set[int]:
    """The tokens whose logits survive the mask."""
    logits = np.zeros(n_vocab, np.float32)
    one.apply(logits)
    assert set(np.unique(logits).tolist()) <= {0.0, -np.inf}
    return set(np.flatnonzero(np.isfinite(logits)).tolist())


def test_the_mask_leaves_what_may_come_next_and_nothing_else() -> None:
    one = constraint('start: "ab" | /[0-9]+/ "!"')
    assert left(one) == {*ids("a0123456789")}
    one.accept(ids("7")[0])
    assert left(one) == {*ids("0123456789!")}


def test_logits_beyond_the_vocabulary_are_banned() -> None:
    assert left(constraint('start: "ab" | "b"'), n_vocab=300) == {*ids("ab")}


def test_accept_returns_what_is_forced() -> None:
    one = constraint('start: "a" ("bcd" ("e" | "f") | "x")')
    assert one.accept(ids("a")[0]) == []
    assert one.accept(ids("b")[0]) == ids("cd")
    assert left(one) == {*ids("ef")}


def test_what_is_forced_from_the_start_can_be_fed_before_the_first_draw() -> None:
    one = constraint('start: "abc" /[0-9]/')
    assert one.forced() == ids("abc")
    assert one.forced() == []
    assert left(one) == {*ids("0123456789")}


def test_a_forced_end_of_text_is_handed_out_too() -> None:
    one = constraint(f'start: "ab" <[{EOS}]> | "x"')
    assert one.accept(ids("a")[0]) == [*ids("b"), EOS]
    assert one.finished


def test_an_end_is_allowed_where_the_text_is_complete_and_only_there() -> None:
    one = constraint('start: "ab" "c"?')
    assert not one.complete and not one.allows(EOS)
    one.consume(ids("ab"))
    assert one.complete and one.allows(EOS) and not one.finished
    assert left(one) == {*ids("c"), EOS}
    one.accept(ids("c")[0])
    assert one.complete and one.finished
    assert one.forced() == []


def test_a_text_is_settled_where_it_is_complete_and_only_set_words_may_follow() -> None:
    calls = Constraint('start: "a" ("\\n" "b"){0,2} "\\n"?', TOKENIZER)
    settled = []
    for byte in b"a\nb\n":
        calls.accept(byte)
        settled.append(calls.settled)
    assert settled == [True, True, True, True]
    free = Constraint('start: TEXT | "<" "b"\nTEXT: /[^<]*/', TOKENIZER)
    assert free.complete and not free.settled
    assert free.accept(ord("<")) == [ord("b")] and free.settled


def test_an_accepted_end_finishes() -> None:
    one = constraint('start: "a"*')
    one.accept(EOS)
    assert one.finished


def test_n_valid_counts_what_would_be_accepted_and_does_not_advance() -> None:
    one = constraint('start: "abc" /[0-9]+/')
    assert one.n_valid(ids("abc12x3")) == 5
    assert one.n_valid(ids("abc12x3")) == 5
    assert one.n_valid(ids("x")) == one.n_valid([]) == 0
    assert one.n_valid([*ids("abc1"), EOS]) == 5


def test_ids_outside_of_the_vocabulary_are_not_valid_and_break_nothing() -> None:
    one = constraint('start: "abc"')
    assert one.n_valid([*ids("ab"), 10**6]) == 2
    assert one.n_valid([-1]) == one.n_valid([2**40]) == 0
    assert one.n_valid(ids("abc")) == 3


@given(st.text("ab1{}", max_size=8))
def test_n_valid_agrees_with_accepting_one_by_one(text: str) -> None:
    grammar = 'start: "{" item* "}"\nitem: start | /[ab]1?/'
    one, other = constraint(grammar), constraint(grammar)
    n = one.n_valid(ids(text))
    for token in ids(text)[:n]:
        assert other.allows(token)
        assert other.consume([token]) == []  # nothing is ever the only way on
    assert n == len(text) or not other.allows(ids(text)[n])


def test_consume_advances_and_returns_what_is_forced() -> None:
    one = constraint(f'start: /[a-z ]*/ <[{MARK}]> "yes"')
    assert one.consume([*ids("well so"), MARK]) == ids("yes")
    assert one.finished


def test_consume_refuses_without_advancing() -> None:
    one = constraint('start: "abc"')
    with pytest.raises(GrammarError, match="accepts 1 of 2"):
        one.consume(ids("ax"))
    assert one.consume(ids("ab")) == ids("c")
    assert one.finished


def test_a_token_that_is_not_allowed_is_an_error() -> None:
    with pytest.raises(GrammarError, match="cannot be followed"):
        constraint('start: "abc"').accept(ids("x")[0])


def test_a_grammar_without_any_text_is_an_error_before_the_first_token() -> None:
    with pytest.raises(GrammarError, match="no text satisfies it"):
        left(constraint("start: a\na: a"))


def test_a_grammar_whose_texts_never_end_is_an_error_before_they_begin() -> None:
    with pytest.raises(GrammarError, match="cannot be followed"):
        constraint('start: a\na: "x" a').forced()


@pytest.mark.parametrize(
    ("grammar", "reason"),
    [
        ("start: (", "Expected token ')'"),
        ('begin: "a"', "no start rule found"),
        ("start: b", "unknown name"),
        ("start: /(?=a)b/", "look-around"),
        ('start: %json {"type": "integer", "minimum": 5, "maximum": 2}', "minimum"),
        ('start: %json {"not": {"type": "string"}}', "not"),
    ],
)
def test_a_grammar_that_cannot_be_honoured_says_why_in_one_line(grammar: str, reason: str) -> None:
    with pytest.raises(GrammarError, match="cannot be honoured: ") as caught:
        check_grammar(grammar)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(GrammarError):
        constraint(grammar)


@pytest.mark.parametrize(
    ("regex", "right", "wrong"),
    [
        (r"a+", "aaa", "b"),
        (r"^\d{2}/\d{2}$", "10/24", "10-24"),
        (r"[/]a\/", "/a/", "/b"),
        ("a\nb", "a\nb", "ab"),
        (r"(?i)yes|no", "YES", "x"),
        (r"[α-ω]+é", "αωé", "a"),
        (r"", "", "a"),
        (r"# not a comment", "# not a comment", "x"),
        (r"//", "//", "x"),
        (r'"\\"', '"\\"', '""'),
    ],
)
def test_a_regex_matches_the_whole_text(regex: str, right: str, wrong: str) -> None:
    grammar = lark_of_regex(regex)
    check_grammar(grammar)
    one = constraint(grammar)
    assert one.n_valid(ids(right)) == len(ids(right))
    assert one.n_valid(ids(wrong)) < len(ids(wrong))
    one.consume(ids(right))
    assert one.complete


def test_an_embedded_grammar_keeps_its_own_names() -> None:
    inner = '%llguidance {}\nstart: said\nsaid: "in" WORD\nWORD: /[0-9]+/\n%ignore / +/'
    grammar = embed('start: "out" said\nsaid: @text | WORD\nWORD: /[a-f]+/', inner)
    check_grammar(grammar)
    assert constraint(grammar).n_valid(ids("outin  12")) == 9
    assert constraint(grammar).n_valid(ids("outabc")) == 6
    assert constraint(grammar).n_valid(ids("out12")) == 3


@pytest.fixture(scope="module")
def vocab(smollm2_path: Path) -> Iterator[Any]:
    with opened_vocab(smollm2_path) as handle:
        yield handle


def written(vocab: Any, tokens: list[int]) -> str:
    room = (lib.ctypes.c_char * 256)()
    sizes = ((t, lib.llama_token_to_piece(vocab, t, room, 256, 0, True)) for t in tokens)
    return b"".join(room.raw[:n] for _, n in sizes).decode()


def test_a_real_vocabulary_forces_the_skeleton_of_an_object(vocab: Any) -> None:
    schema = {"type": "object", "properties": {"population": {"enum": [1, 2]}}}
    schema |= {"required": ["population"], "x-guidance": {"whitespace_flexible": False}}
    one = Constraint(f"start: %json {json.dumps(schema)}", tokenizer_of(vocab))
    forced = one.forced()
    assert written(vocab, forced).startswith('{"population":')
    assert len(forced) < len('{"population":') / 2


def test_every_end_of_generation_of_a_model_ends_a_complete_text(vocab: Any) -> None:
    n_vocab = lib.llama_vocab_n_tokens(vocab)
    eog = [i for i in range(n_vocab) if lib.llama_vocab_is_eog(vocab, i)]
    assert len(eog) > 1
    for known, expected in (((), [lib.llama_vocab_eos(vocab)]), (eog, eog)):
        tokenizer = tokenizer_of(vocab, known)
        one = Constraint('start: "x" "y"?', tokenizer)
        assert not any(one.allows(id) for id in eog)
        one.consume(tokenizer.tokenize_str("x"))
        assert [id for id in eog if one.allows(id)] == list(expected)
        assert set(eog) & left(one, n_vocab) == set(expected)
