"""How a route gets at the services of its app."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from edge_agent.server.services import Services


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(services_of)]
