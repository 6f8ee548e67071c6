"""A vocabulary of bytes and an engine that says what it was told to."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence

from edge_agent.chat.messages import ToolSpec
from edge_agent.engine.params import (
    Finished,
    FinishReason,
    GenerateParams,
    ModelInfo,
    Tokens,
    Usage,
)

CONTROL = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")
MARKERS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")
THINKING = ("<think>", "</think>")

# Small templates in the style of three families.
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
HERMES = """\
{%- if tools %}
{{- '<|im_start|>system\n<tools>' }}
{%- for tool in tools %}{{ '\n' }}{{ tool | tojson }}{% endfor %}
{{- '\n</tools>\nCalls: <tool_call>\n{"name": ..., "arguments": ...}\n</tool_call><|im_end|>\n' }}
{%- endif %}
{%- for m in messages %}
{%- if m.role == 'tool' %}
{%- if loop.first or messages[loop.index0 - 1].role != 'tool' %}{{ '<|im_start|>user' }}{% endif %}
{{- '\n<tool_response>\n' + m.content + '\n</tool_response>' }}
{%- if loop.last or messages[loop.index0 + 1].role != 'tool' %}{{ '<|im_end|>\n' }}{% endif %}
{%- else %}
{{- '<|im_start|>' + m.role + '\n' + m.content }}
{%- for call in m.tool_calls or [] %}
{%- if m.content or not loop.first %}{{ '\n' }}{% endif %}
{{- '<tool_call>\n{"name": "' + call.function.name + '", "arguments": ' }}
{{- call.function.arguments | tojson + '}\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}
"""
THINKER = HERMES.replace(
    "'<|im_start|>' + m.role + '\n' + m.content }}",
    "'<|im_start|>' + m.role + '\n' }}\n"
    "{%- if m.reasoning_content %}"
    "{{ '<think>\n' + m.reasoning_content + '\n</think>\n\n' }}{% endif %}{{ m.content }}",
).replace("{{ '<|im_start|>assistant\n' }}", "{{ '<|im_start|>assistant\n<think>\n' }}")
SWITCHED = HERMES + (
    "{% if enable_thinking is defined and enable_thinking is false %}"
    "{{ '<think>\n\n</think>\n\n' }}{% endif %}"
)

SEARCH = ToolSpec(
    "search",
    "Find pages.",
    {
        "type": "object",
        "properties": {
            "query": {"type": "array", "items": {"type": "string"}},
            "limit": {"type": "integer"},
        },
        "required": ["query"],
    },
)
FETCH = ToolSpec(
    "fetch_url",
    "Read a page.",
    {
        "type": "object",
        "properties": {"url": {"type": "string"}, "purpose": {"type": "string"}},
        "required": ["url"],
    },
)
TOOLS = (SEARCH, FETCH)


class FakeVocab:
    """Implements `Vocabulary`: one token per byte, and the special tokens above 255."""

    def __init__(
        self, template: str | None = None, thinks: bool = False, bos: bool = False
    ) -> None:
        self.chat_template = template
        self.control = frozenset(CONTROL)
        self.markers = frozenset(MARKERS + (THINKING if thinks else ()))
        self.bos, self.eos = "<|endoftext|>", "<|im_end|>"
        spelled = [*CONTROL, *MARKERS, *(THINKING if thinks else ())]
        self._ids = {text: 256 + i for i, text in enumerate(spelled)}
        self._texts = {i: text.encode() for text, i in self._ids.items()}
        self.bos_ids: tuple[int, ...] = (self._ids[self.bos],) if bos else ()

    def token_id(self, text: str) -> int | None:
        return self._ids.get(text)

    def encode(self, text: str, special: bool = True) -> list[int]:
        known = [t for t in self._ids if special or t in self.markers]
        parts = re.split("(" + "|".join(map(re.escape, known)) + ")", text)
        ids: list[int] = []
        for part in parts:
            ids += [self._ids[part]] if part in known else part.encode()
        return ids

    def piece(self, token: int) -> bytes:
        return self._texts.get(token) or bytes([token])

    def count(self, text: str) -> int:
        return len(self.encode(text, special=False))

    def text(self, ids: Sequence[int]) -> str:
        return b"".join(map(self.piece, ids)).decode()


class FakeEngine:
    """Implements `TokenEngine`: each submit plays the next script, a few ids at a time."""

    def __init__(
        self, *scripts: Sequence[int], reason: FinishReason = "stop", step: int = 3
    ) -> None:
        self._scripts = list(scripts)
        self._reason: FinishReason = reason
        self._step = step
        self.submitted: list[tuple[tuple[int, ...], GenerateParams]] = []
        self.given = 0  # ids handed out
        self.closed = 0  # streams that were closed or ran to their end

    @property
    def info(self) -> ModelInfo:
        return ModelInfo("fake.gguf", "fake", 4096, 4096, 300, 0, 0, "")

    async def submit(
        self, prompt: Sequence[int], params: GenerateParams
    ) -> AsyncGenerator[Tokens | Finished, None]:
        self.submitted.append((tuple(prompt), params))
        script = self._scripts.pop(0)
        try:
            for at in range(0, len(script), self._step):
                ids = tuple(script[at : at + self._step])
                self.given += len(ids)
                yield Tokens(ids)
            yield Finished(self._reason, Usage(len(prompt), 0, len(script)))
        finally:
            self.closed += 1
