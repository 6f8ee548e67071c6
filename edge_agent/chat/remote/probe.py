"""What a backend says of itself before it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from edge_agent.chat.remote.counting import SAMPLE
from edge_agent.chat.remote.link import Link
from edge_agent.chat.remote.terms import OWNERS, Kind
from edge_agent.errors import ConfigError, EngineError, NotFound, RequestError

_WINDOW_KEYS = ("max_model_len", "n_ctx", "context_length", "context_window", "max_context_length")
_TOKENIZES: Mapping[Kind, str] = {"llama-server": "content", "vllm": "prompt", "sglang": "prompt"}
_LISTED = 10  # models that an error names


@dataclass(frozen=True, slots=True)
class About:
    """model: the name it is asked for by. kind: which server it is. n_ctx: tokens of its window,
    sample_tokens: of `counting.SAMPLE` by its own tokenizer; both None where it does not say."""

    model: str
    kind: Kind
    n_ctx: int | None = None
    sample_tokens: int | None = None


async def probe(link: Link, wanted: str | None = None) -> About:
    """Ask a backend what it is. Raises NotFound (a model it does not list), ConfigError (one must
    be named), EngineError and its kin when it does not answer."""
    about = _chosen(await _models(link), wanted, link.where)
    if about.kind in ("llama-server", "other"):
        about = await _with_props(link, about)
    return replace(about, sample_tokens=await _sample_tokens(link, about))


async def _models(link: Link) -> Sequence[Mapping[str, Any]]:
    try:
        listed = await link.ask("models")
    except NotFound:
        return ()
    models = listed.get("data") if isinstance(listed, dict) else listed
    found = models if isinstance(models, list) else ()
    return [model for model in found if isinstance(model, dict) and model.get("id")]


def _chosen(models: Sequence[Mapping[str, Any]], wanted: str | None, where: str) -> About:
    if not models:
        if wanted is None:
            raise ConfigError(f"{where} lists no models: name one with --backend-model.")
        return About(wanted, "other")
    model = next((m for m in models if wanted in (None, *_names(m))), None)
    if model is None:
        shown = ", ".join(str(m["id"]) for m in models[:_LISTED])
        more = f" and {len(models) - _LISTED} more" if len(models) > _LISTED else ""
        raise NotFound(f"The backend {where} has no model {wanted!r}; it has: {shown}{more}.")
    kind = OWNERS.get(str(model.get("owned_by")), "other")
    return About(wanted or str(model["id"]), kind, _window(model))


def _names(model: Mapping[str, Any]) -> tuple[Any, ...]:
    aliases = model.get("aliases")
    return (model["id"], *(aliases if isinstance(aliases, list) else ()))


def _window(model: Mapping[str, Any]) -> int | None:
    meta = model.get("meta")
    told = {**(meta if isinstance(meta, dict) else {}), **model}
    sizes = (told.get(key) for key in _WINDOW_KEYS)
    return next((size for size in sizes if isinstance(size, int) and size > 0), None)


async def _with_props(link: Link, about: About) -> About:
    """llama-server's /props, which knows the window of one request."""
    props = None
    with suppress(EngineError, NotFound, RequestError):
        props = await link.ask("/props")
    settings = props.get("default_generation_settings") if isinstance(props, dict) else None
    if not isinstance(settings, dict):
        return about
    return replace(about, kind="llama-server", n_ctx=_window(settings) or about.n_ctx)


async def _sample_tokens(link: Link, about: About) -> int | None:
    field = _TOKENIZES.get(about.kind)
    if field is None:
        return None
    answer = None
    with suppress(EngineError, NotFound, RequestError):
        answer = await link.ask("/tokenize", {"model": about.model, field: SAMPLE})
    tokens = answer.get("tokens") if isinstance(answer, dict) else None
    return len(tokens) if isinstance(tokens, list) and tokens else None
