"""Fields of other servers that would change the answer and that nothing here honours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_agent.errors import NotSupported

OFF: tuple[Any, ...] = (None, False, 0, 0.0, "", [], {})
ONE_ORDER = "the order is fixed: penalties, dry, top_k, typ_p, top_p, min_p, temperature"
NO_SAMPLER = "there is no such sampler here, use temperature, top_p or min_p"
SHAPE_IT = "use response_format instead"

# By name: the values that ask for nothing, and what to do instead.
REFUSED: Mapping[str, tuple[tuple[Any, ...], str]] = {
    "functions": (OFF, "use tools instead"),
    "function_call": (OFF, "use tool_choice instead"),
    "audio": (OFF, "this model writes text only"),
    "modalities": ((*OFF, ["text"]), "this model writes text only"),
    "web_search_options": (OFF, "use POST /agent/run for research"),
    "verbosity": ((*OFF, "medium"), "say in the messages how long the answer should be"),
    "mirostat": (OFF, NO_SAMPLER),
    "dynatemp_range": (OFF, NO_SAMPLER),
    "xtc_probability": (OFF, NO_SAMPLER),
    "top_n_sigma": ((*OFF, -1, -1.0), NO_SAMPLER),
    "adaptive_target": ((*OFF, -1, -1.0), NO_SAMPLER),
    "min_keep": ((*OFF, 1), NO_SAMPLER),
    "samplers": (OFF, ONE_ORDER),
    "lora": (OFF, "adapters are chosen when the server starts, with --lora"),
    "n_indent": (OFF, "lines are not indented here"),
    "t_max_predict_ms": ((*OFF, -1), "limit the tokens with max_tokens instead"),
    "best_of": ((*OFF, 1), "ask for n completions instead"),
    "use_beam_search": (OFF, "ask for n completions instead"),
    "length_penalty": ((*OFF, 1, 1.0), NO_SAMPLER),
    "min_tokens": (OFF, "use ignore_eos with max_tokens instead"),
    "stop_token_ids": (OFF, "use stop instead"),
    "guided_json": (OFF, SHAPE_IT),
    "guided_regex": (OFF, SHAPE_IT),
    "guided_choice": (OFF, SHAPE_IT),
    "guided_grammar": (OFF, SHAPE_IT),
    "structured_outputs": (OFF, SHAPE_IT),
}


def refuse(fields: Mapping[str, Any] | None) -> None:
    """Raises NotSupported, naming the first of these fields that asks for something."""
    for name, value in (fields or {}).items():
        asks_nothing, instead = REFUSED.get(name, ((), ""))
        if name in REFUSED and value not in asks_nothing:
            raise NotSupported(f"{name} is not supported: {instead}.", name)
