"""A chat request as the body of POST /chat/completions, on the terms of one server."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from edge_agent.chat.formats import describe
from edge_agent.chat.messages import ChatRequest, Grammar, Message, NamedTool, ToolSpec
from edge_agent.chat.prompt import described, without_tools
from edge_agent.chat.remote.terms import Kind, Terms
from edge_agent.engine.params import SamplingParams
from edge_agent.errors import NotSupported

Json = dict[str, Any]
NEUTRAL = SamplingParams()
CALL_WANTED = "\n\nAnswer this turn with a tool call and nothing else."
_OPEN_KINDS = ("edge-agent", "llama-server", "vllm", "sglang")  # take fields beyond OpenAI's
_LLAMA_KINDS = ("edge-agent", "llama-server")
_LLAMA_ONLY = {
    "typical_p": "typical_p",
    "repeat_penalty": "repeat_penalty",
    "penalty_last_n": "repeat_last_n",
    "dry_multiplier": "dry_multiplier",
    "dry_base": "dry_base",
    "dry_allowed_length": "dry_allowed_length",
    "dry_penalty_last_n": "dry_penalty_last_n",
    "dry_breakers": "dry_sequence_breakers",
}


def body_of(
    request: ChatRequest,
    terms: Terms,
    model: str,
    sampling: SamplingParams,
    max_tokens: int | None,
) -> Json:
    """The whole body. Raises NotSupported for a grammar the server has no field for."""
    body: Json = {
        "model": model,
        "messages": _messages(request, terms),
        "stream": True,
        "stream_options": {"include_usage": True},
        **_sampling(sampling, terms.kind),
        **_tools(request, terms),
        **_format(request, terms),
        **_thinking(request, terms.kind),
        **({"cache_prompt": False} if request.fresh and terms.kind in _LLAMA_KINDS else {}),
        **(_own(request) if terms.kind == "edge-agent" else {}),
    }
    if max_tokens is not None:
        body[terms.limit] = max_tokens
    if request.stop:
        body["stop"] = list(request.stop)
    if request.n > 1:
        body["n"] = request.n
    if request.n_logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": request.n_logprobs}
    if request.prefill and terms.kind in ("vllm", "sglang"):
        body |= {"continue_final_message": True, "add_generation_prompt": False}
    return {name: value for name, value in body.items() if name not in terms.dropped}


# messages


def _messages(request: ChatRequest, terms: Terms) -> list[Json]:
    messages = list(_settled(request.messages))
    if terms.tools == "words":
        shown = request.tool_choice != "none" and request.tools
        messages = without_tools(messages, _described_tools(request) if shown else "")
    if request.response_schema is not None and terms.schema != "json_schema":
        messages = described(messages, schema_in_words(request.response_schema))
    if request.prefill:
        messages.append(Message("assistant", request.prefill))
    with_thought = "reasoning_content" not in terms.dropped
    return [_message(message, with_thought) for message in messages]


def _described_tools(request: ChatRequest) -> str:
    return describe(offered(request)) + (CALL_WANTED if is_forced(request) else "")


def is_forced(request: ChatRequest) -> bool:
    """Whether the turn must be a tool call."""
    return request.tool_choice not in ("auto", "none")


def offered(request: ChatRequest) -> tuple[ToolSpec, ...]:
    """The tools of a request, or the one it names."""
    choice = request.tool_choice
    if isinstance(choice, NamedTool):
        return tuple(tool for tool in request.tools if tool.name == choice.name)
    return request.tools


def schema_in_words(schema: Mapping[str, Any]) -> str:
    """The system text that asks for JSON of a schema."""
    wanted = "Answer with one JSON object and nothing else: no explanation, no code fence."
    if not schema:
        return wanted
    return f"{wanted} It must match this JSON Schema:\n{json.dumps(schema, ensure_ascii=False)}"


def _settled(messages: Sequence[Message]) -> Sequence[Message]:
    """The same, a tool's answer to no call as a user's message, which every server takes."""
    open_ids: frozenset[str | None] = frozenset()
    settled = []
    for message in messages:
        if message.role != "tool":
            open_ids = frozenset(call.id for call in message.tool_calls)
        elif message.tool_call_id not in open_ids:
            message = Message("user", message.content)
            open_ids = frozenset()
        settled.append(message)
    return settled


def _message(message: Message, with_thought: bool) -> Json:
    shown: Json = {"role": message.role, "content": message.content}
    if message.thought and with_thought:
        shown["reasoning_content"] = message.thought
    if message.tool_calls:
        shown["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        shown["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        shown["name"] = message.name
    return shown


# how the next token is chosen


def _sampling(sampling: SamplingParams, kind: Kind) -> Json:
    """A server we know gets every setting, since its own defaults may differ; another one gets
    OpenAI's, and beyond them only what is set."""
    fields: Json = {"temperature": sampling.temperature, "top_p": sampling.top_p}
    for name in ("presence_penalty", "frequency_penalty"):
        if kind in _OPEN_KINDS or getattr(sampling, name):
            fields[name] = getattr(sampling, name)
    if kind in _OPEN_KINDS or sampling.top_k:
        fields["top_k"] = sampling.top_k or (-1 if kind in ("vllm", "sglang") else 0)
    if kind in _OPEN_KINDS or sampling.min_p:
        fields["min_p"] = sampling.min_p
    if sampling.seed is not None:
        fields["seed"] = sampling.seed
    if sampling.logit_bias:
        fields["logit_bias"] = {str(token): added for token, added in sampling.logit_bias}
    return {**fields, **_repetition(sampling, kind)}


def _repetition(sampling: SamplingParams, kind: Kind) -> Json:
    if kind in ("vllm", "sglang"):
        return {"repetition_penalty": sampling.repeat_penalty}
    named = {
        wire: getattr(sampling, ours)
        for ours, wire in _LLAMA_ONLY.items()
        if getattr(sampling, ours) != getattr(NEUTRAL, ours)
    }
    if kind in _LLAMA_KINDS:
        named.setdefault("repeat_penalty", sampling.repeat_penalty)
    return named


# what the text must be


def _tools(request: ChatRequest, terms: Terms) -> Json:
    if not request.tools or terms.tools == "words":
        return {}
    choice = request.tool_choice
    named = isinstance(choice, NamedTool)
    tools = offered(request) if named and not terms.named else request.tools
    return {
        "tools": [_tool(tool) for tool in tools],
        "tool_choice": _choice(request, terms),
        **({} if request.parallel_tool_calls else {"parallel_tool_calls": False}),
    }


def _tool(tool: ToolSpec) -> Json:
    function = {**_about(tool), "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}


def _about(tool: ToolSpec) -> Json:
    return {"name": tool.name, "description": tool.description}


def _choice(request: ChatRequest, terms: Terms) -> Any:
    choice = request.tool_choice
    if not isinstance(choice, NamedTool):
        return choice
    named = {"type": "function", "function": {"name": choice.name}}
    return named if terms.named else "required"


def _format(request: ChatRequest, terms: Terms) -> Json:
    if request.grammar is not None:
        return _grammar(request.grammar, terms.kind)
    schema = request.response_schema
    if terms.tools == "words" and is_forced(request):
        schema = _call_schema(offered(request))
    if schema is None or terms.schema == "words":
        return {}
    if not schema or terms.schema == "json_object":
        return {"response_format": {"type": "json_object"}}
    named = {"name": "answer", "schema": dict(schema), "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def _call_schema(tools: Sequence[ToolSpec]) -> Json:
    """One call as JSON, which our parser reads as a call: so that even a server without tools can
    be made to call one."""
    calls = [
        {
            "type": "object",
            "properties": {"name": {"const": tool.name}, "arguments": dict(tool.parameters)},
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for tool in tools
    ]
    return calls[0] if len(calls) == 1 else {"anyOf": calls}


def _grammar(grammar: Grammar, kind: Kind) -> Json:
    """The field a server has for a grammar of this kind (vLLM's guided decoding, SGLang's
    structured outputs, llama.cpp's GBNF)."""
    fields: Mapping[tuple[str, str], Json] = {
        ("llama-server", "gbnf"): {"grammar": grammar.text},
        ("edge-agent", "gbnf"): {"grammar": grammar.text},
        ("edge-agent", "lark"): {"grammar": grammar.text},
        ("edge-agent", "regex"): {"response_format": {"type": "regex", "pattern": grammar.text}},
        ("vllm", "gbnf"): {"structured_outputs": {"grammar": grammar.text}},
        ("vllm", "lark"): {"structured_outputs": {"grammar": grammar.text}},
        ("vllm", "regex"): {"structured_outputs": {"regex": grammar.text}},
        ("sglang", "gbnf"): {"ebnf": grammar.text},
        ("sglang", "regex"): {"regex": grammar.text},
    }
    if (kind, grammar.kind) not in fields:
        raise NotSupported(
            f"The backend takes no grammar of kind {grammar.kind}: use response_format with a "
            "JSON Schema instead.",
            "grammar",
        )
    return fields[kind, grammar.kind]


def limits_thoughts(kind: Kind) -> bool:
    """Whether a server has a field for how long a model may think."""
    return kind in _LLAMA_KINDS


def _thinking(request: ChatRequest, kind: Kind) -> Json:
    variables = dict(request.template_kwargs)
    wanted = False if request.thinking_budget == 0 else request.thinking
    if wanted is not None:
        variables["enable_thinking"] = wanted
    fields: Json = {"chat_template_kwargs": variables} if variables else {}
    if request.thinking_budget and limits_thoughts(kind):
        fields["thinking_budget_tokens"] = request.thinking_budget
        if request.thinking_close:
            fields["thinking_budget_message"] = request.thinking_close
    return fields


def _own(request: ChatRequest) -> Json:
    """What only a server of this program knows."""
    fields: Json = {}
    if request.speculate is not None:
        fields["speculative"] = request.speculate
    if request.pin:
        fields["pin_prompt"] = True
    if request.priority:
        fields["priority"] = "background"
    return fields
