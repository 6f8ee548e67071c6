"""Programs on other machines run no tools here, whatever key they have."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from edge_agent.server.tools.tools import is_far


@pytest.mark.parametrize(
    ("client", "far"),
    [
        (("127.0.0.1", 1), False),
        (("127.8.8.8", 1), False),
        (("::1", 1), False),
        (("::ffff:127.0.0.1", 1), False),
        (("::ffff:192.168.1.7", 1), True),
        (("192.168.1.7", 1), True),
        (("203.0.113.9", 1), True),
        (("localhost", 1), True),
        (None, True),
    ],
)
def test_only_the_loopback_address_is_near(client: tuple[str, int] | None, far: bool) -> None:
    assert is_far(Request({"type": "http", "client": client, "headers": []})) is far
