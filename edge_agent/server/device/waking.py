"""What wakes a model that sleeps: whatever asks for work, and nothing that only looks."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from edge_agent.server.device.device import Device


class Waking:
    """ASGI middleware: a POST wakes the model and keeps it awake until it is answered.

    Health, models, props, metrics, slots and the stored runs are read with GET.
    """

    def __init__(self, app: ASGIApp, device: Device) -> None:
        self._app = app
        self._device = device

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        with self._device.use():
            await self._app(scope, receive, send)
