"""GET /metrics: what was computed, as Prometheus reads it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from edge_agent.engine.counts import Counts
from edge_agent.errors import NotSupported
from edge_agent.server.services import EngineHealth
from edge_agent.server.state import ServicesDep

router = APIRouter(tags=["server"])

STARTED = b"Process-Start-Time-Unix"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# name in Counts: our name and what it means, of what llama-server does not count
OURS = {
    "cells": "KV cells there are.",
    "cells_held": "KV cells that hold a token.",
    "slots_parked": "Prefixes kept in the cells for later requests.",
    "slots_pinned": "Prefixes that stay in the cells.",
    "bytes_kept": "Bytes of prefixes kept in memory outside the cells.",
}


@dataclass(frozen=True, slots=True)
class Metric:
    """One value and what it means."""

    name: str
    kind: str
    help: str
    value: float

    @property
    def lines(self) -> str:
        """As Prometheus reads it."""
        said = (f"# HELP {self.name} {self.help}", f"# TYPE {self.name} {self.kind}")
        return "\n".join((*said, f"{self.name} {self.value!r}", ""))


@dataclass(slots=True)
class Scrapes:
    """What the last scrape saw, since which the rates are told; when the server started."""

    started_at: int = field(default_factory=lambda: int(time.time()))
    last: Counts = field(default_factory=Counts)

    def since(self, counts: Counts) -> Counts:
        """What was counted since the last time."""
        before, self.last = self.last, counts
        return Counts(
            prompt_tokens=counts.prompt_tokens - before.prompt_tokens,
            prompt_s=counts.prompt_s - before.prompt_s,
            predicted_tokens=counts.predicted_tokens - before.predicted_tokens,
            predict_s=counts.predict_s - before.predict_s,
        )


@router.get("/metrics", summary="What was computed, for Prometheus", response_class=Response)
async def metrics(request: Request, services: ServicesDep) -> Response:
    """Counters and gauges as text. `llamacpp:` names mean what llama-server's do, `edge_agent:`
    names are this server's own. Not there unless the server was started with --metrics."""
    if not services.shows_metrics:
        raise NotSupported("This server was started without --metrics.")
    scrapes: Scrapes = request.app.state.scrapes
    counts = await services.device.counts()
    told = (*llama_metrics(counts, scrapes.since(counts)), *own_metrics(counts, services.health()))
    answer = PlainTextResponse("".join(metric.lines for metric in told), media_type=CONTENT_TYPE)
    # as it is: Starlette would write the name in small letters, and not everyone reads both
    answer.raw_headers.append((STARTED, str(scrapes.started_at).encode()))
    return answer


def llama_metrics(total: Counts, recent: Counts) -> Iterator[Metric]:
    """Those that llama-server has too, under its names."""

    def counter(name: str, value: float, help: str) -> Metric:
        return Metric(f"llamacpp:{name}", "counter", help, value)

    def gauge(name: str, value: float, help: str) -> Metric:
        return Metric(f"llamacpp:{name}", "gauge", help, value)

    yield counter("prompt_tokens_total", total.prompt_tokens, "Prompt tokens computed.")
    yield counter(
        "prompt_tokens_cached_total", total.cached_tokens, "Prompt tokens found in the cells."
    )
    yield counter("prompt_seconds_total", total.prompt_s, "Seconds spent on prompts.")
    yield counter("tokens_predicted_total", total.predicted_tokens, "Tokens generated.")
    yield counter("tokens_predicted_seconds_total", total.predict_s, "Seconds spent on generating.")
    yield counter("n_decode_total", total.decodes, "Calls of llama_decode().")
    yield counter("n_tokens_max", total.longest, "Tokens of the longest sequence so far.")
    yield counter("spec_decode_num_draft_tokens_total", total.drafted_tokens, "Tokens drafted.")
    yield counter(
        "spec_decode_num_accepted_tokens_total", total.accepted_tokens, "Drafted tokens accepted."
    )
    yield counter("spec_decode_num_drafts_total", total.drafts, "Drafts that were verified.")
    yield gauge(
        "prompt_tokens_seconds",
        _rate(recent.prompt_tokens, recent.prompt_s),
        "Prompt tokens per second since the last scrape.",
    )
    yield gauge(
        "predicted_tokens_seconds",
        _rate(recent.predicted_tokens, recent.predict_s),
        "Generated tokens per second since the last scrape.",
    )
    yield gauge("requests_processing", total.gauges.get("running", 0), "Sequences that run.")
    yield gauge("requests_deferred", total.gauges.get("waiting", 0), "Sequences that wait.")
    yield gauge(
        "n_busy_slots_per_decode",
        _rate(total.busy, total.decodes),
        "Sequences per call of llama_decode(), on average.",
    )


def own_metrics(counts: Counts, health: EngineHealth) -> Iterator[Metric]:
    """Those that only this server has."""
    yield Metric(
        "edge_agent:compute_seconds_total", "counter", "Seconds in llama.cpp.", counts.compute_s
    )
    yield Metric("edge_agent:requests_total", "counter", "Generations begun.", counts.requests)
    yield Metric(
        "edge_agent:engine_restarts_total", "counter", "Engine processes lost.", health.restarts
    )
    for name, help in OURS.items():
        if name in counts.gauges:
            yield Metric(f"edge_agent:{name}", "gauge", help, counts.gauges[name])


def _rate(amount: float, of: float) -> float:
    return amount / of if of > 0 else 0.0
