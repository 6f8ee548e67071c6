"""llama.cpp's grammars: the same texts as llama.cpp itself allows, or a refusal that says why."""

from __future__ import annotations

import ctypes
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_cpp import llama_cpp as lib
from llguidance import LLTokenizer

from edge_agent.chat.gbnf import parse
from edge_agent.chat.lexemes import to_lark
from edge_agent.engine.core.constraint import Constraint, check_grammar, tokenizer_of
from edge_agent.errors import GrammarError

from .native import opened_vocab

JSON = r"""
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws
object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value)* )? "}" ws
array  ::= "[" ws ( value ("," ws value)* )? "]" ws
string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
ws ::= | " " | "\n" [ \t]{0,20}
"""
# a number swallows the new line that must end its equation, were it read as one lexeme
ARITHMETIC = r"""
root  ::= (sum "=" ws part "\n")+
sum   ::= part ([-+*/] part)*
part  ::= name | digits | "(" ws sum ")" ws
name  ::= [a-z] [a-z0-9_]* ws
digits ::= [0-9]+ ws
ws    ::= [ \t\n]*
"""
CHESS = """
# whole games
root ::= (
  "1. " ply " " ply "\\n"  # the first move
  ([1-9] [0-9]? ". " ply " " ply "\\n")+
)
ply ::= (pawn | piece | castling) [+#]?
piece ::= [NBKQR] [a-h]? [1-8]? "x"? [a-h] [1-8]
pawn ::= ([a-h] "x")? [a-h] [1-8] ("=" [NBKQR])?
castling ::= "O-O" "-O"?
"""
LIST = 'root ::= point+\npoint ::= "- " [^\\r\\n\\x0b\\x0c\\x85\\u2028\\u2029]+ "\\n"\n'
GREEK = 'root ::= [α-ωΑ-Ω]+ ("é" | "\\u00e8" | "\\U0001F600") .'
ESCAPES = r'root ::= [\]\[\-a\\] "\"\\\[\]\x41\t" [^\n]'
TIMES = 'root ::= "a"{2} "z"{0} [b]{1,} ("c" | "de"){0,2} "f"{1 , 3}'
NESTED = 'root ::= ( ( "a" | ( "b" "c"? )+ ) "," )* "." # end'
LINES = 'root ::= first |\n  second\r\nfirst ::= "a"\n\n# between\nsecond ::= "b"'
KEYS = r"""root ::= "{" pair ("," pair)* "}" | "[" root "]"
pair ::= "\"name\"" ":" text | "\"n\":" number | text ":" root
text ::= "\"" [a-z ]* "\""
number ::= [0-9]{2,4} | "-" [0-9]"""
C_LIKE = r"""root ::= (line "\n")*
line ::= "int " id " = " value ";" | "return" (" " value)? ";" | "if (" value ") { " line " }"
value ::= id | [0-9]+ | value-in-brackets
value-in-brackets ::= "(" value ([-+*/] value)? ")"
id ::= [a-zA-Z_] [a-zA-Z_0-9]*"""
DATES = r'root ::= date ("; " date)*' "\ndate ::= [0-9]{4} [-] [01] [0-9] [-] [0-3] [0-9]"
ALL = {
    "json": JSON,
    "arithmetic": ARITHMETIC,
    "chess": CHESS,
    "list": LIST,
    "greek": GREEK,
    "escapes": ESCAPES,
    "times": TIMES,
    "nested": NESTED,
    "lines": LINES,
    "keys": KEYS,
    "c-like": C_LIKE,
    "dates": DATES,
    "swallowed": 'root ::= word "b" root?\nword ::= [a-z]*',
    "prefixes": 'root ::= ("a" "b" "c" | "ab" "d") root?',
    "ambiguous": 'root ::= x x root?\nx ::= "a" | "ab" | "b"',
    "unseen choice": 'root ::= a | b\na ::= "x" s root?\nb ::= "x" "\\"oo\\"" "!" root?\n'
    's ::= "\\"" [a-z]* "\\""',
    "optional": 'root ::= sign? num ("," root)?\nsign ::= "-"?\nnum ::= [0-9]{1,3}',
    "empty": 'root ::= "" | "a" root "b"',
}


def no_token(text: str) -> int | None:
    return None


def lark(grammar: str) -> str:
    text = to_lark(parse(grammar, no_token))
    check_grammar(text)
    return text


@pytest.fixture(scope="module")
def vocab(smollm2_path: Path) -> Iterator[Any]:
    with opened_vocab(smollm2_path) as handle:
        yield handle


@pytest.fixture(scope="module")
def tokenizer(vocab: Any) -> LLTokenizer:
    return tokenizer_of(vocab)


@pytest.fixture(scope="module")
def chars(vocab: Any, tokenizer: LLTokenizer) -> dict[int, str]:
    """Tokens that are one character, and the end of text."""
    pairs = ((tokenizer.greedy_tokenize(c), c) for c in map(chr, (9, 10, *range(32, 127))))
    return {ids[0]: c for ids, c in pairs if len(ids) == 1} | {lib.llama_vocab_eos(vocab): ""}


def takes(grammar: str, text: str, tokenizer: LLTokenizer) -> bool:
    ids = [*tokenizer.tokenize_str(text), tokenizer.eos_token]
    return Constraint(lark(grammar), tokenizer).n_valid(ids) == len(ids)


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("json", '{"a": [1, -2.5e1, "\\u00e9é"], "b":{}}', '{"a": 1,}'),
        ("arithmetic", "(a +12)*b = c\n", "a = \n"),
        ("chess", "1. e4 e5\n2. Nf3 O-O-O+\n", "1. e4 e5\n"),
        ("list", "- milk\n- ćevapi 🥙\n", "- milk"),
        ("greek", "αβγé\n", "abcé."),
        ("greek", "Ω😀é", "α😀"),
        ("escapes", '-"\\[]A\té', 'b"\\[]A\té'),
        ("times", "aabbcdefff", "abf"),
        ("nested", "a,bcb,.", "a,b."),
        ("lines", "b", "ab"),
        ("keys", '[{"name":"ab c","n":-1}]', '{"n":1}'),
        ("c-like", "int x = (1+y);\nif (x) { return x; }\n", "return x\n"),
        ("dates", "2024-02-29; 1999-12-31", "2024-2-29"),
        ("swallowed", "aaabb", "aaa"),
        ("empty", "aabb", "aab"),
    ],
)
def test_a_grammar_takes_its_texts_and_no_others(
    name: str, right: str, wrong: str, tokenizer: LLTokenizer
) -> None:
    assert takes(ALL[name], right, tokenizer)
    assert not takes(ALL[name], wrong, tokenizer)


class Oracle:
    """llama.cpp's own reading of a grammar, token by token."""

    def __init__(self, vocab: Any, grammar: str) -> None:
        self._sampler = lib.llama_sampler_init_grammar(vocab, grammar.encode(), b"root")
        self.reads = bool(self._sampler)

    def allowed(self, tokens: Iterable[int]) -> set[int]:
        ids = list(tokens)
        data = (lib.llama_token_data * len(ids))()
        for item, token in zip(data, ids, strict=True):
            item.id = token
        first = ctypes.cast(data, ctypes.POINTER(lib.llama_token_data))
        array = lib.llama_token_data_array(first, len(ids), -1, False)
        lib.llama_sampler_apply(self._sampler, ctypes.byref(array))
        return {item.id for item in data if np.isfinite(item.logit)}

    def accept(self, token: int) -> None:
        lib.llama_sampler_accept(self._sampler, token)

    def close(self) -> None:
        if self.reads:
            lib.llama_sampler_free(self._sampler)


def differences(
    grammar: str, vocab: Any, tokenizer: LLTokenizer, chars: dict[int, str], n: int, seed: int
) -> list[str]:
    """Where llama.cpp and we disagree about the next character, along a random text."""
    told, oracle, said = Constraint(lark(grammar), tokenizer), Oracle(vocab, grammar), ""
    draw = random.Random(seed)
    end = lib.llama_vocab_eos(vocab)
    ids: list[int] = []
    try:
        for _ in range(n if oracle.reads else 0):
            theirs = oracle.allowed(chars)
            ours = {id for id in chars if told.n_valid([*ids, id]) > len(ids)}
            if theirs != ours:
                return [f"after {said!r}: {''.join(sorted(chars[i] for i in theirs ^ ours))!r}"]
            if not (going_on := sorted(theirs - {end})):
                break
            token = draw.choice(going_on)
            oracle.accept(token)
            ids.append(token)
            said += chars[token]
    finally:
        oracle.close()
    return []


@pytest.mark.parametrize("name", ALL)
def test_llama_cpp_allows_the_same_next_characters(
    name: str, vocab: Any, tokenizer: LLTokenizer, chars: dict[int, str]
) -> None:
    for seed in range(3):
        assert differences(ALL[name], vocab, tokenizer, chars, 30, seed) == []


def random_grammar(draw: random.Random) -> str:
    """Rules that refer to each other, and whose lexemes get in each other's way."""

    def item(depth: int) -> str:
        kind = draw.random() if depth else 0.0
        if kind < 0.3:
            return '"' + "".join(draw.choice("abc") for _ in range(draw.choice([1, 1, 2, 3]))) + '"'
        if kind < 0.45:
            return f"[{draw.choice(['ab', 'a-c', '^a', 'b-c', 'c'])}]"
        if kind < 0.65:
            return draw.choice(["r1", "r2", "r3"])
        if kind < 0.75:
            return f"({row(depth - 1)} | {row(depth - 1)})"
        many = draw.choice(["*", "+", "?", "{1,2}", "{2}", "{0,2}"])
        return draw.choice(['"a"', "[ab]", '"ab"', "[a-c]", '("b" "c")']) + many

    def row(depth: int) -> str:
        return " ".join(item(depth) for _ in range(draw.choice([1, 2, 2, 3])))

    # every way through a rule begins with a character: llama.cpp refuses left recursion
    begins = ['"a"', '"b"', "[a-c]", '"ab"', "[bc]+"]
    ends = ['"c"', '""', "[ab]*", '"abc"']
    rules = [f"root ::= {row(2)} | {row(2)}"]
    for i in (1, 2, 3):
        ways = [f"{draw.choice(begins)} {row(2)}" for _ in range(draw.choice([1, 2]))]
        rules.append(f"r{i} ::= {' | '.join([*ways, draw.choice(ends)])}")
    return "\n".join(rules)


def test_llama_cpp_allows_the_same_next_characters_in_random_grammars(
    vocab: Any, tokenizer: LLTokenizer, chars: dict[int, str]
) -> None:
    for seed in range(60):
        grammar = random_grammar(random.Random(seed))
        found = differences(grammar, vocab, tokenizer, chars, 12, seed)
        assert found == [], f"{found} in\n{grammar}"


def test_what_can_be_one_lexeme_is() -> None:
    assert lark(CHESS).splitlines()[0].startswith("start: R")
    rules = lark(JSON).splitlines()
    assert sum(line.startswith("r") for line in rules) == 4  # root, object, value, array


def test_tokens_are_named_by_id_or_by_text() -> None:
    ids = {"<think>": 7, "</think>": 8}
    rules = parse("root ::= <think> !</think>* <[8]> [a-z]+", ids.get)
    assert "<[7]>" in to_lark(rules) and "(<[^8]>){0,} <[8]>" in to_lark(rules)
    check_grammar(to_lark(rules))
    with pytest.raises(GrammarError, match="no such token"):
        parse("root ::= <thin>", ids.get)


@pytest.mark.parametrize(
    ("grammar", "reason"),
    [
        ("", "no rule named 'root'"),
        ('start ::= "a"', "no rule named 'root'"),
        ("root ::= a\n", "no rule named 'a'"),
        ('root ::= "a', "Line 1 of the grammar: a quote or bracket is not closed"),
        ("root ::= [a", "not closed"),
        ("root ::= []", "without a character"),
        (r"root ::= [^\x00-\U0010FFFF]", "without a character"),
        ("root ::= [z-a]", "without a character"),
        ('root ::= ("a"', "expected )"),
        ('root ::= "a")', "expected a new line"),
        ("root ::= *", "nothing to repeat"),
        ('root ::= "a"{2,1}', "at least 2 and at most 1"),
        ('root ::= "a"{3000}', "more than 2000 times"),
        ('root ::= "a"{x}', "expected a number"),
        ('root ::= "a"{1', "expected }"),
        (r'root ::= "\q"', "unknown escape"),
        (r'root ::= "\u12"', "unknown escape"),
        (r'root ::= "\U00110000"', "not a character"),
        (r'root ::= "\ud800"', "not a character"),
        ('root = "a"', "expected ::="),
        ('root ::= "a"\n::= "b"', "Line 2 of the grammar: expected the name of a rule"),
        ("root ::= <think", "expected a <token>"),
        ("root ::= " + "(" * 100, "parentheses inside one another"),
        ('root ::= "a"' + "*" * 5000, "nothing to repeat"),
        ("root ::= a0\n" + "\n".join(f'a{i} ::= "x"' for i in range(700)), "701 rules"),
    ],
)
def test_a_grammar_that_cannot_be_read_says_where_and_why(grammar: str, reason: str) -> None:
    with pytest.raises(GrammarError) as caught:
        lark(grammar)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_largest_grammars_are_read_in_good_time() -> None:
    chain = "root ::= a0\n" + "\n".join(f'a{i} ::= "x" a{i + 1}' for i in range(590))
    lark(chain + '\na590 ::= "y" root')
    lark(chain + '\na590 ::= "y"')
    lark("root ::= " + " | ".join(f'"word{i}"' for i in range(1500)) + ' | "(" root ")"')
    lark("root ::= x root?\nx ::= " + " | ".join(f'[ab]* "a" [ab]{{{i}}}' for i in range(25)))
    lark("root ::= x root?\nx ::= [" + "".join(chr(0x4E00 + 2 * i) for i in range(3000)) + ']+ " "')
