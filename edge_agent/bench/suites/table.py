"""All suites by name, in the order they run in."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edge_agent.bench.suite import Suite
from edge_agent.bench.suites.cancel import CANCEL
from edge_agent.bench.suites.fit import FIT
from edge_agent.bench.suites.prune import PRUNE
from edge_agent.bench.suites.reuse import FORK, RESTART, SHARE, TURNS
from edge_agent.bench.suites.speed import DECODE, PREFILL
from edge_agent.bench.suites.stall import STALL
from edge_agent.bench.suites.writing import CONSTRAINED, LOOKUP

SUITES: Mapping[str, Suite] = MappingProxyType(
    {
        "decode": DECODE,
        "prefill": PREFILL,
        "share": SHARE,
        "turns": TURNS,
        "fork": FORK,
        "constrained": CONSTRAINED,
        "lookup": LOOKUP,
        "prune": PRUNE,
        "cancel": CANCEL,
        "stall": STALL,
        "restart": RESTART,
        "fit": FIT,
    }
)
