"""A request to the grammar its answer must obey: llguidance's Lark text, or None for free text.

Whitespace between JSON tokens is fixed (`{"a": 1, "b": [2, 3]}`), as in the models' training data
and so that no answer can run away in blanks. Syntax: docs/syntax.md and docs/json_schema.md of
llguidance.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge_agent.chat.formats import CALL_CLOSE, CALL_OPEN, THINK_CLOSE, THINK_OPEN, Format
from edge_agent.chat.messages import ChatRequest, NamedTool, ToolSpec
from edge_agent.engine.constraint import check_grammar
from edge_agent.errors import GrammarError, RequestError

MAX_CALLS = 8  # calls in one turn; a small model may repeat itself until the window is full
JSON_STYLE = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
CODE_TOOLS = frozenset({"PythonInterpreter"})  # their code stands in <code> behind empty arguments
_DEFINITIONS = ("$defs", "definitions")

TokenId = Callable[[str], "int | None"]


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


def grammar_for(request: ChatRequest, form: Format, turn: Turn, token_id: TokenId) -> str | None:
    """The grammar of a request, None when the text is free. Raises GrammarError, RequestError."""
    tools = callable_tools(request)
    schema = request.response_schema
    if not tools and schema is None:
        return None
    forced = request.tool_choice == "required" or isinstance(request.tool_choice, NamedTool)
    writer = _Writer(form, token_id)
    writer.turn(turn, tools, None if forced else schema, forced, _most_calls(request))
    grammar = writer.text()
    _check(grammar, tools, schema)
    return grammar


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
        return "%json " + json.dumps({**root, "x-guidance": JSON_STYLE}, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise GrammarError(f"The schema is not JSON: {error}.") from None


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

    def turn(
        self,
        turn: Turn,
        tools: Sequence[ToolSpec],
        schema: Mapping[str, Any] | None,
        forced: bool,
        most: int,
    ) -> None:
        """The start rule: a thought where one may be, then text, JSON or calls."""
        if forced:
            said = self._calls(tools, most, self._mark(CALL_OPEN))
        elif schema is not None:
            said = self._rule("answer", _json(schema))
            if tools:
                said += " | " + self._calls(tools, most, self._mark(CALL_OPEN))
        else:
            said = "TEXT | " + self._calls(tools, most, self._text_until("until_call", CALL_OPEN))
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
        more = f' ("\\n" {self._mark(CALL_OPEN)} call){{0,{most - 1}}}' if most > 1 else ""
        return f"{opening} call{more}"

    def _json_call(self, name: str, tool: ToolSpec) -> str:
        head = _quoted(f'{{"name": {_quoted(tool.name)}, "arguments": ')
        if tool.name in CODE_TOOLS and not tool.parameters.get("properties"):
            code = self._rule(f"{name}_code[lazy]", 'TEXT "</code>"').removesuffix("[lazy]")
            return self._rule(name, f'{head} "{{}}}}\\n<code>" {code}')
        return self._rule(name, f'{head} {_json(_object(tool.parameters))} "}}"')

    def _xml_call(self, name: str, tool: ToolSpec) -> str:
        schema = _object(tool.parameters)
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
        closing = "\n</parameter>\n"
        opening = _quoted(f"<parameter={key}>\n")
        if isinstance(value, dict) and value.get("type") == "string" and "enum" not in value:
            text = self._rule(f"{name}_text[lazy]", f"TEXT {_quoted(closing)}")
            return self._rule(name, f"{opening} {text.removesuffix('[lazy]')}")
        if isinstance(value, dict) and all(isinstance(v, str) for v in value.get("enum", (1,))):
            one_of = " | ".join(_quoted(v) for v in value["enum"])
            return self._rule(name, f"{opening} ({one_of}) {_quoted(closing)}")
        body = _json({**definitions, **(value if isinstance(value, dict) else {})})
        return self._rule(name, f"{opening} {body} {_quoted(closing)}")


def _object(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a tool: an object, also where the schema forgot to say so."""
    return {"type": "object", "properties": {}, **schema}
