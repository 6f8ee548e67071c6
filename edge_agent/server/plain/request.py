"""From the body of a completion of plain text to TextRequests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edge_agent.chat.messages import Prompt
from edge_agent.chat.text import TextModel, TextRequest
from edge_agent.errors import NotSupported, RequestError
from edge_agent.server.completions.form import plain_form
from edge_agent.server.completions.request import PRIORITIES, stops_of
from edge_agent.server.completions.sampling import sampling_of
from edge_agent.server.completions.schemas import Sampled
from edge_agent.server.device.settings import biased, sampling_settings
from edge_agent.server.errors import renamed
from edge_agent.server.plain.schemas import (
    MAX_PROMPTS,
    Native,
    PromptObject,
    TextBody,
    WirePrompt,
)
from edge_agent.server.services import Defaults
from edge_agent.server.surface import TEXT

NO_LIMIT = 2**31 - 1  # tokens; the window is the limit
NAMES = (("messages", "prompt"),)
Parts = tuple[str | int, ...]


def prompts_of(prompt: WirePrompt) -> list[Parts]:
    """Each prompt as texts and token ids. Raises RequestError and NotSupported.

    A list of texts is as many prompts; one in which there are token ids is one prompt.
    """
    if not isinstance(prompt, list):
        return [_parts(prompt)]
    flat = [part for part in prompt if isinstance(part, str | int)]
    if len(flat) == len(prompt) and any(isinstance(part, int) for part in flat):
        return [tuple(flat)]
    if len(prompt) > MAX_PROMPTS:
        raise RequestError(f"prompt: there are {len(prompt)}, at most {MAX_PROMPTS}.", "prompt")
    return [_parts(part) for part in prompt]


def _parts(prompt: str | int | Sequence[str | int] | PromptObject) -> Parts:
    if isinstance(prompt, PromptObject):
        if prompt.multimodal_data:
            raise NotSupported(
                "prompt.multimodal_data is not supported: this model reads text only.",
                "prompt.multimodal_data",
            )
        return (prompt.prompt_string,)
    return (prompt,) if isinstance(prompt, str | int) else tuple(prompt)


def text_request(
    body: TextBody, parts: Parts, defaults: Defaults, texts: TextModel, name: str
) -> TextRequest:
    """One prompt of /v1/completions. Raises RequestError and NotSupported."""
    if body.echo and body.logprobs is not None:
        raise NotSupported(
            "echo with logprobs is not supported: there are none of the prompt.", "echo"
        )
    given = body.n_predict if body.max_tokens is None else body.max_tokens
    limit = _limit(given, "max_tokens")
    return _request(body, parts, defaults, texts, name, limit, body.logprobs)


def native_request(
    body: Native, parts: Parts, defaults: Defaults, texts: TextModel, name: str
) -> TextRequest:
    """One prompt of llama-server's routes; the ids of what is streamed are told."""
    given = body.max_tokens if body.n_predict is None else body.n_predict
    limit = _limit(given, "n_predict", least=0)
    told = body.n_probs or (0 if body.stream else None)
    drawn = bool(body.post_sampling_probs)
    return _request(body, parts, defaults, texts, name, limit, told, drawn)


def _request(
    body: Sampled,
    parts: Parts,
    defaults: Defaults,
    texts: TextModel,
    name: str,
    max_tokens: int | None,
    n_logprobs: int | None,
    drawn: bool = False,
) -> TextRequest:
    TEXT.check(body.model_extra)
    schema, grammar = plain_form(body)
    return TextRequest(
        prompt=parts,
        response_schema=schema,
        grammar=grammar,
        sampling=sampling_of(body, defaults.sampling, lambda text: texts.encode(text)),
        max_tokens=defaults.max_tokens if max_tokens is None else max_tokens,
        stop=stops_of(body.stop),
        ignore_eos=bool(body.ignore_eos),
        priority=PRIORITIES[body.priority or "interactive"],
        n=body.n or 1,
        n_logprobs=n_logprobs,
        drawn=drawn and bool(n_logprobs),
        speculate=body.speculative,
        fresh=body.cache_prompt is False,
        progress=bool(body.stream and (body.timings_per_token or body.return_progress)),
        name=name,
    )


def prepared(texts: TextModel, request: TextRequest) -> Prompt:
    """Raises what `TextModel.prepare` does."""
    try:
        return texts.prepare(request)
    except RequestError as error:
        raise renamed(error, NAMES) from None


def _limit(given: int | None, field: str, least: int = 1) -> int | None:
    """A negative number is no limit, as in llama-server."""
    if given is not None and 0 <= given < least:
        raise RequestError(f"{field} must be at least {least}, or -1 for no limit.", field)
    return NO_LIMIT if given is not None and given < 0 else given


def settings_of(request: TextRequest, eog_ids: Sequence[int], **more: Any) -> dict[str, Any]:
    """llama-server's generation_settings: how a completion is drawn, with all defaults."""
    sampling = request.sampling
    assert sampling is not None
    settings = sampling_settings(sampling)
    banned = [biased(id, None) for id in eog_ids if request.ignore_eos]
    limit = -1 if request.max_tokens in (None, NO_LIMIT) else request.max_tokens
    return {
        **settings,
        "max_tokens": limit,
        "n_predict": limit,
        "ignore_eos": request.ignore_eos,
        "stop": list(request.stop),
        "logit_bias": [*settings["logit_bias"], *banned],
        "n_probs": request.n_logprobs or 0,
        "post_sampling_probs": request.drawn,
        "grammar": request.grammar.text if request.grammar else "",
        **more,
    }
