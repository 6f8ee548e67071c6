from __future__ import annotations

import pytest

from edge_agent.chat.constraints import Turn, grammar_of
from edge_agent.chat.messages import (
    ChatRequest,
    Grammar,
    NamedTool,
    ToolChoice,
    ToolSpec,
)
from edge_agent.errors import GrammarError, RequestError

from .fakes import TOOLS
from .follows import (
    ASKED,
    ONE,
    follows,
    grammar,
)

LARK = '%llguidance {}\nstart: word+\nword: /[a-z]+/ "."\n%ignore " "'
SAYINGS = [
    (Grammar("gbnf", 'root ::= [a-z]+ ("." root)?'), "yes.no", "Yes"),
    (Grammar("gbnf", 'root ::= "(" root ")" | "()"'), "(())", "(()"),
    (Grammar("regex", r"\d{4}-\d{2}"), "2024-05", "2024/05"),
    (Grammar("lark", LARK), "yes. no.", "yes"),
]


@pytest.mark.parametrize(("given", "right", "wrong"), SAYINGS)
def test_text_obeys_a_grammar(given: Grammar, right: str, wrong: str) -> None:
    told = grammar(ChatRequest(ASKED, grammar=given))
    assert follows(told, right) == "complete"
    assert follows(told, wrong) != "complete"


@pytest.mark.parametrize(("given", "right", "wrong"), SAYINGS)
def test_a_thought_before_a_grammar_is_free(given: Grammar, right: str, wrong: str) -> None:
    asked = ChatRequest(ASKED, grammar=given)
    for tokens in (True, False):
        inside = grammar(asked, turn=Turn(opens_thought=True), tokens=tokens)
        assert follows(inside, f"Hm {{.\n</think>\n\n{right}", tokens) == "complete"
        assert follows(inside, f"Hm.</think>{wrong}", tokens) != "complete"
        before = grammar(asked, turn=Turn(may_think=True), tokens=tokens)
        assert follows(before, f"<think>Hm.</think>{right}", tokens) == "complete"
        assert follows(before, right, tokens) == "complete"
        assert follows(before, wrong, tokens) != "complete"


@pytest.mark.parametrize(("given", "right", "wrong"), SAYINGS)
@pytest.mark.parametrize("tokens", [True, False])
@pytest.mark.parametrize(
    ("choice", "calls", "texts"),
    [
        ("auto", True, True),
        ("none", False, True),
        ("required", True, False),
        (NamedTool("search"), True, False),
    ],
)
def test_with_tools_a_grammar_is_the_text_beside_the_calls(
    given: Grammar,
    right: str,
    wrong: str,
    tokens: bool,
    choice: ToolChoice,
    calls: bool,
    texts: bool,
) -> None:
    told = grammar(ChatRequest(ASKED, TOOLS, choice, grammar=given), tokens=tokens)
    assert (follows(told, ONE, tokens) == "complete") is calls
    assert (follows(told, right, tokens) == "complete") is texts
    assert follows(told, wrong, tokens) != "complete"
    assert follows(told, ONE.replace("query", "quarry"), tokens) != "complete"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (Grammar("gbnf", 'answer ::= "a"'), "no rule named 'root'"),
        (Grammar("gbnf", 'root ::= "a'), "not closed"),
        (Grammar("regex", "(a"), "unclosed group"),
        (Grammar("regex", "a(?!b)"), "look-around"),
        (Grammar("lark", "%llguidance {}\nstart: b"), "unknown name"),
        (Grammar("lark", "start: a0\n" + "\n".join(f'a{i}: "x"' for i in range(5000))), "5001"),
    ],
)
@pytest.mark.parametrize("choice", ["auto", "required"])
def test_a_grammar_that_cannot_be_honoured_names_its_field(
    given: Grammar, reason: str, choice: ToolChoice
) -> None:
    with pytest.raises(GrammarError) as caught:
        grammar(ChatRequest(ASKED, TOOLS, choice, grammar=given))
    assert caught.value.param == "grammar"
    assert reason in str(caught.value) and "\n" not in str(caught.value)


def test_a_grammar_and_a_schema_exclude_each_other() -> None:
    given = Grammar("regex", "a")
    with pytest.raises(RequestError, match="together with response_format") as caught:
        grammar(ChatRequest(ASKED, response_schema={}, grammar=given))
    assert caught.value.param == "grammar"


def test_a_fault_of_the_tools_is_not_blamed_on_the_grammar() -> None:
    bad = ToolSpec("b", "", {"type": "object", "properties": {"a": {"type": "nothing"}}})
    with pytest.raises(GrammarError, match="parameters of tool 'b'") as caught:
        grammar(ChatRequest(ASKED, (bad,), grammar=Grammar("regex", "a")))
    assert caught.value.param == "tools"


def test_a_grammar_is_gbnf_unless_it_says_lark() -> None:
    assert grammar_of('root ::= "a"').kind == "gbnf"
    assert grammar_of(f"\n {LARK}").kind == "lark"
    assert grammar_of("# %llguidance\nroot ::= [a]").kind == "gbnf"
