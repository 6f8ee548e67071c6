"""Messages to prompt text: the model's own jinja template in a sandbox. The home of jinja2."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import TemplateError, TemplateSyntaxError
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import Node
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from edge_agent.chat.builtin import CHATML, built_in
from edge_agent.chat.vocab import Vocabulary
from edge_agent.errors import ConfigError, RequestError

SWITCH = "enable_thinking"
_ASKED = re.compile(rf"{SWITCH}\s+is\s+(?:not\s+)?defined")
MAX_RENDERED = 16 * 1024 * 1024  # characters; a template that writes more is broken


class _Generation(Extension):
    """`{% generation %}…{% endgeneration %}`, which marks training spans, prints what it holds."""

    tags = {"generation"}  # noqa: RUF012 (jinja declares it so)

    def parse(self, parser: Parser) -> list[Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class ChatTemplate:
    """A compiled chat template. `now` is the clock that templates may show a date from."""

    def __init__(
        self,
        source: str,
        bos: str = "",
        eos: str = "",
        now: Callable[[], datetime] = datetime.now,
        where: str = "The model's chat template",
    ) -> None:
        self.source = source
        self._now = now
        # one that reads the switch without asking whether it is there expects to be told "on"
        self.wants_switch = SWITCH in source and not _ASKED.search(source)
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, _Generation]
        )
        environment.filters["tojson"] = to_json
        environment.globals.update(
            raise_exception=_raise,
            strftime_now=lambda form: now().strftime(form),
            bos_token=bos,
            eos_token=eos,
        )
        try:
            self._template = environment.from_string(source)
        except TemplateSyntaxError as error:
            raise ConfigError(
                f"{where} is not valid jinja (line {error.lineno}: {error.message}): "
                "give another with --chat-template-file."
            ) from None

    @classmethod
    def of(
        cls, vocab: Vocabulary, file: Path | None = None, text: str | None = None
    ) -> ChatTemplate:
        """The template in `file`, else `text` (a built-in's name or jinja), else the GGUF's own,
        else ChatML. Raises ConfigError."""
        if file is None and text is not None:
            return cls(built_in(text), vocab.bos, vocab.eos, where="The chat template")
        if file is None:
            return cls(vocab.chat_template or CHATML, vocab.bos, vocab.eos)
        try:
            source = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"The chat template {file} could not be read: {error}.") from None
        return cls(source, vocab.bos, vocab.eos, where=f"The chat template {file}")

    def takes_system(self) -> bool:
        """Whether a system message shows in what it writes."""
        said = "\ufdd3"  # a noncharacter (Unicode 23.7)
        try:
            turns = [{"role": "system", "content": said}, {"role": "user", "content": "?"}]
            return said in self.render(turns)
        except RequestError:
            return False

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]] = (),
        variables: Mapping[str, Any] | None = None,
        opening: bool = True,
    ) -> str:
        """The text of the prompt, up to where the model goes on, or the last message ends.

        Raises RequestError with the template's own complaint.
        """
        given = {**self._usual(), **(variables or {})}
        values = {**given, "messages": messages, "add_generation_prompt": opening}
        if tools:
            values["tools"] = tools
        try:
            return _joined(self._template.generate(values))
        except TemplateError as error:
            complaint = error.message or type(error).__name__
        except (TypeError, ValueError, KeyError, AttributeError, ArithmeticError) as error:
            complaint = str(error)
        except RecursionError:
            complaint = "the template calls itself without end"
        raise RequestError(
            f"The model's chat template refuses these messages: {complaint}.", param="messages"
        )

    def _usual(self) -> dict[str, str]:
        """What the templates of Llama and Firefunction read besides the messages: the date, and
        `functions`, which is empty: tools are described in the system message there."""
        now = self._now()
        dates = {"date_string": now.strftime("%d %b %Y"), "datetime": now.strftime("%b %d %Y")}
        shows_tools = re.search(r"\btools\b", self.source)
        return dates if shows_tools else {**dates, "functions": ""}


def _joined(pieces: Any) -> str:
    parts: list[str] = []
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > MAX_RENDERED:
            raise ValueError(f"it writes more than {MAX_RENDERED} characters")
        parts.append(piece)
    return "".join(parts)


def _raise(message: str) -> NoReturn:
    raise TemplateError(message)


def to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as the templates' authors saw it: characters as they are, nothing escaped for HTML."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )
