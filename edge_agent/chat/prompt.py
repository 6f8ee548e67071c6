"""Messages to the text of a prompt, and that text to ids."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edge_agent.chat.formats import (
    CALL_CLOSE,
    CALL_OPEN,
    RESULT_CLOSE,
    RESULT_OPEN,
    THINK_CLOSE,
    THINK_OPEN,
    Format,
    describe,
)
from edge_agent.chat.messages import ChatRequest, Message, ToolCall, ToolSpec
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.vocab import Vocabulary
from edge_agent.errors import RequestError

# Noncharacters, which no text may contain (Unicode 23.7): dropped from what comes in.
CUT = "\ufdd0"
TURN = "\ufdd1"


@dataclass(frozen=True, slots=True)
class Rendered:
    """The text of a prompt, its special spellings in contents broken by CUT.

    opens_thought: it ends inside a thought. thought_over: it ends after one, or after visible text.
    """

    text: str
    opens_thought: bool
    thought_over: bool


class Guard:
    """Keeps contents from being read as control tokens, without changing what they say.

    A template makes one string of trusted marks and untrusted contents. So a special spelling
    inside a content gets a CUT after its first character; when the prompt is encoded the text is
    taken apart at the cuts, and the model reads the literal characters. Ordinary text has no cuts.
    Tool results may hold pages from anywhere: there the markers (`<tool_call>`) are cut as well.
    """

    def __init__(self, vocab: Vocabulary) -> None:
        self._control = _any_of(vocab.control)
        self._special = _any_of(vocab.control | vocab.markers)

    def text(self, text: str, untrusted: bool = False) -> str:
        """`text` with its special spellings cut."""
        clean = text.replace(CUT, "").replace(TURN, "")
        pattern = self._special if untrusted else self._control
        return pattern.sub(lambda match: match[0][0] + CUT + match[0][1:], clean)

    def value(self, value: Any) -> Any:
        """The same for every string in a JSON value."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.value(k): self.value(v) for k, v in value.items()}
        return [self.value(v) for v in value] if isinstance(value, (list, tuple)) else value

    def message(self, message: Message) -> Message:
        """A message whose texts are safe to render."""
        return replace(
            message,
            content=self.text(message.content, untrusted=message.role == "tool"),
            thought=None if message.thought is None else self.text(message.thought),
            tool_calls=tuple(
                replace(c, name=self.text(c.name), arguments=self.text(c.arguments))
                for c in message.tool_calls
            ),
        )


def _any_of(spellings: Collection[str]) -> re.Pattern[str]:
    longest_first = sorted((s for s in spellings if len(s) > 1), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


class PromptWriter:
    """Writes prompts for one model: its template, its format, its vocabulary."""

    def __init__(self, vocab: Vocabulary, template: ChatTemplate, form: Format) -> None:
        self._vocab = vocab
        self._template = template
        self._form = form
        self._guard = Guard(vocab)
        self._takes_system = template.takes_system()

    @property
    def template(self) -> str:
        """The source of the chat template."""
        return self._template.source

    def conversation(self, request: ChatRequest) -> Rendered:
        """The whole prompt of a request. Raises RequestError."""
        if not request.messages:
            raise RequestError("There are no messages: send at least one.", "messages")
        tools = () if request.tool_choice == "none" else request.tools
        return self._opened(self._render(request.messages, tools, request), request)

    def continuation(self, messages: Sequence[Message], request: ChatRequest) -> Rendered:
        """What stands between a generated assistant turn and the next one.

        The template renders a made-up turn before `messages`; what follows that turn is the answer.
        """
        asked, turn = Message("user", "?"), Message("assistant", TURN)
        text = self._render((asked, turn, *messages), (), request, trusted=2)
        _, found, after = text.partition(TURN)
        if not found:
            raise RequestError(
                "The chat template does not show assistant turns, so this conversation cannot go "
                "on: give another with --chat-template-file."
            )
        return self._opened(after, request)

    def ids(self, text: str) -> list[int]:
        """Token ids of a rendered text; nothing is special across a CUT."""
        return [i for part in text.split(CUT) for i in self._vocab.encode(part)]

    def _render(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        request: ChatRequest,
        trusted: int = 0,
    ) -> str:
        safe = [*messages[:trusted], *map(self._guard.message, messages[trusted:])]
        variables = dict(request.template_kwargs)
        if request.thinking is not None:
            variables["enable_thinking"] = request.thinking
        elif self._template.wants_switch:
            variables["enable_thinking"] = True
        if self._form.tools_in_template:
            shown = [self._guard.value(_tool_dict(t)) for t in tools]
            turns = [self._dict(m) for m in self._placed(safe)]
            return self._template.render(turns, shown, variables, request.opening)
        plain = without_tools(safe, self._guard.text(describe(tools)) if tools else "")
        turns = [self._dict(m) for m in self._placed(plain)]
        return self._template.render(turns, (), variables, request.opening)

    def _placed(self, messages: list[Message]) -> list[Message]:
        return messages if self._takes_system else without_system(messages)

    def _dict(self, message: Message) -> dict[str, Any]:
        """A message as templates know it (the OpenAI shape, arguments as an object)."""
        shown: dict[str, Any] = {"role": message.role, "content": message.content}
        if message.thought is not None and self._form.thought_field:
            shown["reasoning_content"] = message.thought
        elif message.thought and self._form.thinks:
            thought = f"{THINK_OPEN}\n{message.thought}\n{THINK_CLOSE}\n\n"
            shown["content"] = thought + message.content
        if message.tool_calls:
            shown["tool_calls"] = [_call_dict(c) for c in message.tool_calls]
        if message.tool_call_id is not None:
            shown["tool_call_id"] = message.tool_call_id
        if message.name is not None:
            shown["name"] = self._guard.text(message.name)
        return shown

    def _opened(self, text: str, request: ChatRequest) -> Rendered:
        """The opening of the assistant's turn: a thought closed if unwanted, then the prefill."""
        if not request.opening:
            return Rendered(text, opens_thought=False, thought_over=False)
        opens = text.rstrip().endswith(THINK_OPEN)
        if opens and request.thinking is False:
            text += f"\n{THINK_CLOSE}\n\n"
            opens = False
        over = text.rstrip().endswith(THINK_CLOSE)
        prefill = self._guard.text(request.prefill)
        begun = (THINK_OPEN if opens else "") + prefill
        opens = begun.rfind(THINK_OPEN) > begun.rfind(THINK_CLOSE)
        return Rendered(text + prefill, opens, over or (bool(prefill) and not opens))


def visible(prefill: str) -> str:
    """The part of a prefill that belongs to the answer: all but its thought."""
    before, closed, after = prefill.rpartition(THINK_CLOSE)
    rest = after if closed else before + after
    return "" if THINK_OPEN in rest else rest.strip()


def _tool_dict(tool: ToolSpec) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }
    return {"type": "function", "function": function}


def _arguments(call: ToolCall) -> Any:
    try:
        return json.loads(call.arguments or "{}")
    except ValueError:
        return call.arguments


def _call_dict(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": _arguments(call)}
    return {"id": call.id, "type": "function", "function": function}


def without_tools(messages: Iterable[Message], description: str) -> list[Message]:
    """The same conversation for a template that knows only system, user and assistant."""
    plain: list[Message] = []
    results = 0  # in the last message
    for message in messages:
        if message.role == "tool":
            text = RESULT_OPEN + message.content + RESULT_CLOSE
            if results:
                text = f"{plain.pop().content}\n{text}"
            plain.append(Message("user", text))
        else:
            written = [message.content] if message.content else []
            written += [_call_text(call) for call in message.tool_calls]
            plain.append(replace(message, content="\n".join(written), tool_calls=()))
        results = results + 1 if message.role == "tool" else 0
    return described(plain, description)


def without_system(messages: Sequence[Message]) -> list[Message]:
    """The same conversation for a template that knows no system role, or drops what has it: its
    text stands before that of the next user, or is a user's turn where none follows."""
    placed: list[Message] = []
    waiting: list[str] = []
    for message in messages:
        if message.role == "system":
            waiting.append(message.content)
            continue
        if waiting and message.role != "user":
            placed.append(Message("user", "\n\n".join(waiting)))
        elif waiting:
            message = replace(message, content="\n\n".join([*waiting, message.content]))
        waiting = []
        placed.append(message)
    return [*placed, Message("user", "\n\n".join(waiting))] if waiting else placed


def _call_text(call: ToolCall) -> str:
    head = json.dumps(call.name, ensure_ascii=False)
    return f'{CALL_OPEN}\n{{"name": {head}, "arguments": {call.arguments}}}\n{CALL_CLOSE}'


def described(messages: list[Message], description: str) -> list[Message]:
    """The same conversation with `description` at the end of its system message."""
    if not description:
        return messages
    if messages and messages[0].role == "system":
        first = replace(messages[0], content=f"{messages[0].content}\n\n{description}")
        return [first, *messages[1:]]
    return [Message("system", description), *messages]
