"""The dialects there are, by the name a profile gives."""

from __future__ import annotations

from edge_agent.agent.explore.hermes import Hermes
from edge_agent.agent.explore.json_actions import JsonActions

DIALECTS: dict[str, type[Hermes] | type[JsonActions]] = {"hermes": Hermes, "json": JsonActions}
