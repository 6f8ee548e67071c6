"""A server process for test_serve: prints its URL when ready and "ended well" when it has ended."""

from __future__ import annotations

import asyncio

from edge_agent.chat.messages import Text
from edge_agent.server.app import create_app
from edge_agent.server.serve import serve
from edge_agent.server.services import Services
from tests.server.fakes import FakeAgent, FakeChat, Forever


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    services = Services(FakeChat([Forever(Text("again "))]), FakeAgent())
    asyncio.run(serve(create_app(services), port=0, on_ready=say, log_level="error"))
    say("ended well")
