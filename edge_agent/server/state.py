"""How a route gets at the services of its app, and at who asks."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from edge_agent.server.door.holder import Holder
from edge_agent.server.services import Services


async def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def holder_of(request: Request) -> Holder:
    """Who asks, as the door knows it."""
    holder: Holder = request.state.holder
    return holder


ServicesDep = Annotated[Services, Depends(services_of)]
HolderDep = Annotated[Holder, Depends(holder_of)]
