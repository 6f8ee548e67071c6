"""What each API has beside the fields that are honoured here: the refused and the passed over.

A field that would change the answer is refused by name. One that is in neither table is unknown,
and is passed over like those that change nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from edge_agent.errors import NotSupported

OFF: tuple[Any, ...] = (None, False, 0, "", [], {})


@dataclass(frozen=True, slots=True)
class Refusal:
    """instead: what to do, or why not. quiet: the values that ask for nothing, beside OFF; of a
    field that is on by default (`on`) they are the only ones."""

    instead: str
    quiet: tuple[Any, ...] = ()
    on: bool = False

    def asks(self, value: Any) -> bool:
        """Whether a value asks for something."""
        return value not in (self.quiet if self.on else (*OFF, *self.quiet))


@dataclass(frozen=True, slots=True)
class Surface:
    """refused: by the field's name, or its path with dots. accepted: what is passed over."""

    refused: Mapping[str, Refusal]
    accepted: Collection[str] = field(default_factory=frozenset)

    def check(self, fields: Mapping[str, Any] | None) -> None:
        """Raises NotSupported, naming the first of these fields that asks for something."""
        for path, refusal in self.refused.items():
            name, *inside = path.split(".")
            value = (fields or {}).get(name)
            for part in inside:
                value = value.get(part) if isinstance(value, Mapping) else None
            if value is not None and refusal.asks(value):
                raise NotSupported(f"{path} is not supported: {refusal.instead}.", path)


_NO_SAMPLER = Refusal("there is no such sampler here, use temperature, top_p or min_p")
_NO_SIGMA = Refusal(_NO_SAMPLER.instead, (-1,))
_TEXT_ONLY = Refusal("this model writes text only", (["text"],))
_SHAPE_IT = Refusal("use response_format or grammar instead")
_N_CHOICES = Refusal("ask for n completions instead", (1,))
_NO_TEMPLATE = Refusal("templates are chosen when the server starts, with --chat-template")
_VERBOSITY = Refusal("say in the messages how long the answer should be", ("medium",))
_NO_MODERATION = Refusal("there is no moderation here")

# llama-server's and vLLM's, of every route that draws tokens
_DRAWN: Mapping[str, Refusal] = {
    "mirostat": _NO_SAMPLER,
    "dynatemp_range": _NO_SAMPLER,
    "xtc_probability": _NO_SAMPLER,
    "top_n_sigma": _NO_SIGMA,
    "adaptive_target": _NO_SIGMA,
    "min_keep": Refusal(_NO_SAMPLER.instead, (1,)),
    "length_penalty": Refusal(_NO_SAMPLER.instead, (1,)),
    "repetition_penalty": Refusal("use repeat_penalty, with repeat_last_n", (1,)),
    "samplers": Refusal(
        "the order is fixed: penalties, dry, top_k, typ_p, top_p, min_p, temperature"
    ),
    "lora": Refusal("adapters are chosen when the server starts, with --lora"),
    "n_indent": Refusal("lines are not indented here"),
    "t_max_predict_ms": Refusal("limit the tokens with max_tokens instead", (-1,)),
    "best_of": _N_CHOICES,
    "use_beam_search": _N_CHOICES,
    "min_tokens": Refusal("use ignore_eos with max_tokens instead"),
    "stop_token_ids": Refusal("use stop instead"),
    "bad_words": Refusal("use logit_bias instead"),
    "allowed_token_ids": Refusal("use grammar or logit_bias instead"),
    "include_stop_str_in_output": Refusal("a stop is no part of the answer"),
    "skip_special_tokens": Refusal("they are no part of the text", (True,), on=True),
    "truncate_prompt_tokens": Refusal("shorten the prompt instead"),
    "prompt_logprobs": Refusal("there are logprobs of what is generated only"),
    "logits_processors": _NO_SAMPLER,
    "grammar_lazy": Refusal("give tools instead"),
    "guided_json": _SHAPE_IT,
    "guided_regex": _SHAPE_IT,
    "guided_choice": _SHAPE_IT,
    "guided_grammar": _SHAPE_IT,
    "structured_outputs": _SHAPE_IT,
}
# what only goes with one of those, and what is about the server's work and not its result
_PASSED_OVER = frozenset(
    {
        "adaptive_decay",
        "cache_salt",
        "dynatemp_exponent",
        "id_slot",
        "mirostat_eta",
        "mirostat_tau",
        "n_cache_reuse",
        "n_discard",
        "n_keep",
        "reasoning_control",
        "request_id",
        "sse_ping_interval",
        "user",
        "xtc_threshold",
    }
)
_OPENAIS = frozenset(
    {
        "metadata",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
    }
)

CHAT = Surface(
    {
        "functions": Refusal("use tools instead"),
        "function_call": Refusal("use tool_choice instead"),
        "audio": _TEXT_ONLY,
        "modalities": _TEXT_ONLY,
        "moderation": _NO_MODERATION,
        "web_search_options": Refusal("use the model agent, or POST /agent/run, for research"),
        "verbosity": _VERBOSITY,
        "parse_tool_calls": Refusal("calls are always read", (True,), on=True),
        "generation_prompt": Refusal("it is the template's to say"),
        "chat_template": _NO_TEMPLATE,
        "documents": Refusal("put them into the messages"),
        "echo": Refusal("ask /v1/completions for it"),
        **_DRAWN,
    },
    _PASSED_OVER | _OPENAIS | {"prediction", "prompt_cache_options"},
)
TEXT = Surface(
    {
        "response_format": Refusal("use json_schema or grammar instead"),
        "tools": Refusal("ask /v1/chat/completions for it"),
        **_DRAWN,
    },
    _PASSED_OVER,
)
RESPONSES = Surface(
    {
        "conversation": Refusal("use previous_response_id instead"),
        "prompt": Refusal("there are no stored prompts here, send instructions and input instead"),
        "context_management": Refusal("nothing is compacted here"),
        "moderation": _NO_MODERATION,
        "n": Refusal("a response has one answer", (1,)),
        "prompt_cache_options.prewarm": Refusal("a response is always written"),
        "text.verbosity": _VERBOSITY,
        **{name: CHAT.refused[name] for name in CHAT.refused if name != "moderation"},
    },
    _PASSED_OVER
    | _OPENAIS
    | {
        "access_programs",
        "background_options",
        "image",
        "max_tool_calls",
        "prompt_cache_options",
        "stream_options",
    },
)
_CHATS = (
    "frequency_penalty",
    "grammar",
    "json_schema",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "min_p",
    "n",
    "presence_penalty",
    "reasoning_effort",
    "repeat_penalty",
    "response_format",
    "stop",
)
MESSAGES = Surface(
    {
        "container": Refusal("there is no code execution here"),
        "mcp_servers": Refusal("give the tools themselves in tools"),
        "context_management": Refusal(
            "nothing is taken out of a conversation here",
            (
                {"edits": []},
                {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
                {"edits": [{"type": "clear_thinking_20251015", "keep": {"type": "all"}}]},
            ),
        ),
        "compaction": Refusal("ask for a summary in a message of its own"),
        "thread": Refusal("send the whole conversation"),
        **dict.fromkeys(_CHATS, Refusal("ask /v1/chat/completions for it")),
        **_DRAWN,
    },
    _PASSED_OVER
    | {
        "betas",
        "billing_policy",
        "cache_control",
        "diagnostics",
        "fallback_credit_token",
        "fallbacks",
        "inference_geo",
        "metadata",
        "service_tier",
        "speed",
        "user_profile_id",
        "workspace_id",
    },
)
EMBEDDINGS = Surface(
    {
        "dimensions": Refusal("the vectors of the model here have one length"),
        "embd_normalize": Refusal("the vectors have length 1", (2,), on=True),
    },
    {"user"},
)
_OWN_WAY = Refusal("the agent cannot honour it")
# of a request to the agent, whichever API it came by
AGENT = Surface(
    {
        "tools": Refusal("the agent has tools of its own"),
        "n": Refusal(_OWN_WAY.instead, (1,)),
        "logprobs": _OWN_WAY,
        "grammar": _OWN_WAY,
        "stop": _OWN_WAY,
        "messages": Refusal("the answer of the agent cannot be begun for it"),
    }
)
