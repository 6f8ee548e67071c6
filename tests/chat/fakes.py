"""A vocabulary of bytes and an engine that says what it was told to."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence

from edge_agent.chat.messages import ToolSpec
from edge_agent.engine.params import (
    Edit,
    Edited,
    Finished,
    FinishReason,
    GenerateParams,
    ModelInfo,
    TokenLogprobs,
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
        self.eog_ids = frozenset({self._ids["<|im_end|>"], self._ids["<|endoftext|>"]})

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
    """Implements `TokenEngine`: each submit plays the next `n` scripts, a few ids at a time.

    cached: tokens of every prompt that are said to be in the cache. The log probability of a token
    is minus its id; the k-th likeliest token beside it has an id larger by k.
    """

    def __init__(
        self,
        *scripts: Sequence[int],
        reason: FinishReason = "stop",
        step: int = 3,
        cached: int = 0,
    ) -> None:
        self._scripts = list(scripts)
        self._reason: FinishReason = reason
        self._step = step
        self._cached = cached
        self.thinking: set[str] = set()  # names of generations that can be told to stop
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
        scripts = [self._scripts.pop(0) for _ in range(params.n)]
        try:
            for at in range(0, max(map(len, scripts)) + self._step, self._step):
                for index, script in enumerate(scripts):
                    ids = tuple(script[at : at + self._step])
                    self.given += len(ids)
                    if ids:
                        yield Tokens(ids, index, _logprobs(ids, params.n_logprobs), self._cached)
                    elif at < len(script) + self._step:
                        usage = Usage(len(prompt), self._cached, len(script))
                        yield Finished(self._reason, usage, index)
        finally:
            self.closed += 1

    async def edit(self, edit: Edit) -> Edited:
        return Edited(0, 0)

    async def stop_thinking(self, name: str) -> bool:
        return name in self.thinking


def _logprobs(ids: Sequence[int], n: int | None) -> tuple[TokenLogprobs, ...]:
    if n is None:
        return ()
    return tuple(
        TokenLogprobs(i, -float(i), tuple((i + k, -float(i + k)) for k in range(n))) for i in ids
    )
