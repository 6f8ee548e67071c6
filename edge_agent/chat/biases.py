"""What is added to the logits of single tokens."""

from __future__ import annotations

from edge_agent.engine.params import SamplingParams
from edge_agent.errors import RequestError


def checked(sampling: SamplingParams, n_vocab: int) -> SamplingParams:
    """The same; raises RequestError where a bias is for no token of the model."""
    foreign = [token for token, _ in sampling.logit_bias if not 0 <= token < n_vocab]
    if foreign:
        raise RequestError(
            f"logit_bias: {foreign[0]} is not a token id of this model, which has {n_vocab}.",
            "logit_bias",
        )
    return sampling
