"""A request to the grammar its answer must obey: llguidance's Lark text, or None for free text.

Whitespace between JSON tokens is fixed (`{"a": 1, "b": [2, 3]}`), as in the models' training data
and so that no answer can run away in blanks. Syntax: docs/syntax.md and docs/json_schema.md of
llguidance.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge_agent.chat.formats import (
    CALL_CLOSE,
    CALL_OPEN,
    THINK_CLOSE,
    THINK_OPEN,
    Format,
    is_plain,
)
from edge_agent.chat.gbnf import TokenId, parse
from edge_agent.chat.lexemes import to_lark
from edge_agent.chat.messages import ChatRequest, Grammar, NamedTool, ToolSpec
from edge_agent.engine.core.constraint import (
    MAX_REFERENCES,
    check_grammar,
    check_size,
    embed,
    lark_of_regex,
    searching,
)
from edge_agent.errors import GrammarError, RequestError

MAX_CALLS = 8  # calls in one turn; a small model may repeat itself until the window is full
JSON_STYLE = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
CODE_TOOLS = frozenset({"PythonInterpreter"})  # their code stands in <code> behind empty arguments
LARK_HEAD = "%llguidance"  # how llama.cpp tells Lark from GBNF in its field "grammar"
_DEFINITIONS = ("$defs", "definitions")
_CLOSED = {"additionalProperties": False}
_OPENS = ("additionalProperties", "patternProperties", "$ref", "allOf", "anyOf", "oneOf", "if")
_BEYOND_XML = (
    "$ref",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "minProperties",
    "maxProperties",
    "dependentRequired",
    "dependentSchemas",
)


@dataclass(frozen=True, slots=True)
class Turn:
    """Where the generated text begins.

    opens_thought: inside a thought. may_think: a thought may come first.
    """

    opens_thought: bool = False
    may_think: bool = False


def callable_tools(request: ChatRequest) -> tuple[ToolSpec, ...]:
    """The tools this turn may call. Raises RequestError for a named tool that is not there."""
    choice = request.tool_choice
    if isinstance(choice, NamedTool):
        named = tuple(t for t in request.tools if t.name == choice.name)
        if not named:
            raise RequestError(
                f"tool_choice names {choice.name!r}, which is not in tools.", "tool_choice"
            )
        return named
    if choice == "required" and not request.tools:
        raise RequestError('tool_choice "required" needs at least one tool.', "tool_choice")
    return () if choice == "none" else request.tools


def must_call(request: ChatRequest) -> bool:
    """Whether this turn has to be a call."""
    return request.tool_choice == "required" or isinstance(request.tool_choice, NamedTool)


def grammar_of(text: str) -> Grammar:
    """The grammar that a client means by a field named "grammar": GBNF, unless it says Lark."""
    return Grammar("lark" if text.lstrip().startswith(LARK_HEAD) else "gbnf", text)


def grammar_for(request: ChatRequest, form: Format, turn: Turn, token_id: TokenId) -> str | None:
    """The grammar of a request, None when the text is free. Raises GrammarError, RequestError.

    Where calls are possible the text is a call or obeys the grammar or schema; where they are
    required there is no text. A thought that may come first is free.
    """
    tools = callable_tools(request)
    schema = request.response_schema
    text = _text_grammar(request, token_id)
    if not tools and (schema is None) and (text is None):
        return None
    if text is not None and not tools and not (turn.opens_thought or turn.may_think):
        return text
    forced = must_call(request)
    writer = _Writer(form, token_id)
    answer = None if forced else writer.answer(schema, text)
    writer.turn(turn, tools, answer, forced, _most_calls(request))
    grammar = writer.text() if forced or text is None else embed(writer.text(), text)
    _check(grammar, tools, schema)
    return grammar


def _text_grammar(request: ChatRequest, token_id: TokenId) -> str | None:
    """The request's own grammar as Lark, None without."""
    given = request.grammar
    if given is None:
        return None
    if request.response_schema is not None:
        raise RequestError("grammar cannot be given together with response_format.", "grammar")
    try:
        lark = _lark_of(given, token_id)
        check_grammar(lark)
    except GrammarError as error:
        raise GrammarError(str(error), "grammar") from None
    return lark


def _lark_of(given: Grammar, token_id: TokenId) -> str:
    if given.kind == "gbnf":
        return to_lark(parse(given.text, token_id))
    if given.kind == "regex":
        return lark_of_regex(given.text)
    check_size(len(re.findall(r"^[^/#\n]*:", given.text, re.M)))
    return given.text


def _most_calls(request: ChatRequest) -> int:
    one = isinstance(request.tool_choice, NamedTool) or not request.parallel_tool_calls
    return 1 if one else MAX_CALLS


def _check(grammar: str, tools: Sequence[ToolSpec], schema: Mapping[str, Any] | None) -> None:
    """Raise GrammarError that names the schema at fault."""
    try:
        check_grammar(grammar)
    except GrammarError:
        for tool in tools:
            _check_schema(tool.parameters, f"The parameters of tool {tool.name!r}", "tools")
        if schema is not None:
            _check_schema(schema, "The JSON schema of response_format", "response_format")
        raise


def _check_schema(schema: Mapping[str, Any], what: str, param: str) -> None:
    try:
        check_grammar(f"start: {_json(schema)}")
    except GrammarError as error:
        reason = str(error).partition("honoured: ")[2]
        raise GrammarError(f"{what} cannot be honoured: {reason}", param) from None


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _json(schema: Mapping[str, Any]) -> str:
    """An inline JSON Schema whose root must be an object unless it says otherwise."""
    root = dict(schema)
    if not any(k in root for k in ("type", "$ref", "anyOf", "oneOf", "allOf", "enum", "const")):
        root["type"] = "object"
    try:
        text = json.dumps({**root, "x-guidance": JSON_STYLE}, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise GrammarError(f"The schema is not JSON: {error}.") from None
    if (n := len(set(re.findall(r'"\$ref": "[^"]*"', text)))) > MAX_REFERENCES:
        raise GrammarError(
            f"The schema cannot be honoured: it refers to {n} others, at most {MAX_REFERENCES} are "
            "followed."
        )
    return f"%json {text}"


class _Writer:
    """Collects the rules of one grammar."""

    def __init__(self, form: Format, token_id: TokenId) -> None:
        self._form = form
        self._token_id = token_id
        self._rules: list[str] = []

    def text(self) -> str:
        return "\n".join([*self._rules, "TEXT: /(.|\\n)*/", ""])

    def _rule(self, name: str, body: str) -> str:
        self._rules.append(f"{name}: {body}")
        return name

    def _mark(self, mark: str) -> str:
        """A marker: one special token where the vocabulary has it, else its spelling."""
        token = self._token_id(mark)
        return _quoted(mark) if token is None else f"<[{token}]>"

    def _text_until(self, name: str, mark: str) -> str:
        """Free text up to and with a marker."""
        token = self._token_id(mark)
        if token is not None:
            return f"TEXT <[{token}]>"
        return self._rule(f"{name}[lazy]", f"TEXT {_quoted(mark)}").removesuffix("[lazy]")

    def answer(self, schema: Mapping[str, Any] | None, text: str | None) -> str | None:
        """What text that is not free must be, as a symbol; None where it is free."""
        if text is not None:
            return "@text"
        return None if schema is None else self._rule("answer", _json(schema))

    def turn(
        self,
        turn: Turn,
        tools: Sequence[ToolSpec],
        answer: str | None,
        forced: bool,
        most: int,
    ) -> None:
        """The start rule: a thought where one may be, then text, the answer, or calls."""
        if forced:
            said = self._calls(tools, most, self._mark(CALL_OPEN))
        elif answer is None:
            said = "TEXT | " + self._calls(tools, most, self._text_until("until_call", CALL_OPEN))
        elif tools:
            said = f"{answer} | {self._calls(tools, most, self._mark(CALL_OPEN))}"
        else:
            said = answer
        self._rules.insert(0, f"start: {self._thought(turn)} said\nsaid: {said}")

    def _thought(self, turn: Turn) -> str:
        blank = "/\\n{0,2}/"
        if turn.opens_thought:
            return f"{self._text_until('thinking', THINK_CLOSE)} {blank}"
        if turn.may_think:
            thinking = self._text_until("thinking", THINK_CLOSE)
            return f"({self._mark(THINK_OPEN)} {thinking} {blank})?"
        return ""

    def _calls(self, tools: Sequence[ToolSpec], most: int, opening: str) -> str:
        """One to `most` calls, the first behind `opening`."""
        write = self._xml_call if self._form.calls == "xml" else self._json_call
        names = [write(f"tool{i}", tool) for i, tool in enumerate(tools)]
        self._rule("call", f'"\\n" ({" | ".join(names)}) "\\n" {self._mark(CALL_CLOSE)}')
        if most == 1:
            return f"{opening} call"
        # a line end commits to nothing: some models write one and then end their turn
        more = f'("\\n" {self._mark(CALL_OPEN)} call){{0,{most - 1}}}'
        return f'{opening} call {more} "\\n"?'

    def _json_call(self, name: str, tool: ToolSpec) -> str:
        head = _quoted(f'{{"name": {_quoted(tool.name)}, "arguments": ')
        if tool.name in CODE_TOOLS and not tool.parameters.get("properties"):
            code = self._rule(f"{name}_code[lazy]", 'TEXT "</code>"').removesuffix("[lazy]")
            return self._rule(name, f'{head} "{{}}}}\\n<code>" {code}')
        return self._rule(name, f'{head} {_json(_object(tool.parameters))} "}}"')

    def _xml_call(self, name: str, tool: ToolSpec) -> str:
        schema = _object(tool.parameters)
        if unmet := [key for key in _BEYOND_XML if key in schema]:
            raise GrammarError(
                f"The parameters of tool {tool.name!r} cannot be honoured: this model writes them "
                f"one by one, where {unmet[0]!r} of them all has no meaning.",
                "tools",
            )
        required = schema.get("required") or ()
        definitions = {k: schema[k] for k in _DEFINITIONS if k in schema}
        parts = []
        for i, (key, value) in enumerate((schema.get("properties") or {}).items()):
            rule = self._xml_parameter(f"{name}_{i}", key, value, definitions)
            parts.append(rule if key in required else f"{rule}?")
        opening = _quoted(f"<function={tool.name}>\n")
        return self._rule(name, f'{opening} {" ".join(parts)} "</function>"')

    def _xml_parameter(
        self, name: str, key: str, value: Any, definitions: Mapping[str, Any]
    ) -> str:
        opening, closing = _quoted(f"<parameter={key}>\n"), _quoted("\n</parameter>\n")
        if not is_plain(value):
            body = _json({**definitions, **(value if isinstance(value, dict) else {})})
            return self._rule(name, f"{opening} {body} {closing}")
        if values := _values(value):
            one_of = " | ".join(map(_quoted, values))
            return self._rule(name, f"{opening} ({one_of}) {closing}")
        text = self._rule(f"{name}_text[lazy]", f"{self._plain(name, value)} {closing}")
        return self._rule(name, f"{opening} {text.removesuffix('[lazy]')}")

    def _plain(self, name: str, schema: Mapping[str, Any]) -> str:
        """Text that is not in quotes, of a certain length or pattern."""
        least, most = schema.get("minLength", 0), schema.get("maxLength", "")
        bounds = [f"/(?s:.){{{least},{most}}}/"] if least or most != "" else []
        if "pattern" in schema:
            bounds.append(f"/{searching(str(schema['pattern']))}/")
        return self._rule(f"{name.upper()}_TEXT", " & ".join(bounds)) if bounds else "TEXT"


def _values(schema: Mapping[str, Any]) -> list[str]:
    return [schema["const"]] if "const" in schema else list(schema.get("enum", ()))


def _object(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a tool: an object, also where the schema forgot to say so.

    It is closed unless the schema asks for more: a small model adds parameters until its room is
    used up, and no tool knows what to do with them.
    """
    whole = {"type": "object", "properties": {}, **schema}
    return whole if any(key in schema for key in _OPENS) else {**whole, **_CLOSED}
