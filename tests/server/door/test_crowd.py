"""How many requests of one key may be under way."""

from __future__ import annotations

from contextlib import ExitStack

import httpx
import pytest

from edge_agent.chat.messages import Text
from edge_agent.server.services import Door, Services
from tests.server.conftest import Serving
from tests.server.fakes import FakeAgent, FakeChat, Forever

BODY = {"messages": [{"role": "user", "content": "Hi"}], "stream": True}
CHAT = "/v1/chat/completions"


def crowded(per_key: int, *keys: str) -> Services:
    chat = FakeChat([Forever(Text("again "))])
    return Services(chat, FakeAgent(), api_keys=keys, door=Door(per_key=per_key))


def headers(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def streaming(stack: ExitStack, url: str, key: str | None) -> int:
    stream = httpx.stream("POST", url + CHAT, json=BODY, headers=headers(key))
    answer = stack.enter_context(stream)
    if answer.status_code == 200:
        lines = answer.iter_lines()
        next(lines)
        stack.callback(next, lines, None)  # who forgets the lines closes the stream
    return answer.status_code


def test_one_key_cannot_take_the_place_of_another(serving: Serving) -> None:
    url = serving(crowded(2, "one", "two"))
    with ExitStack() as stack:
        assert [streaming(stack, url, "one") for _ in range(3)] == [200, 200, 429]
        assert streaming(stack, url, "two") == 200


def test_who_is_refused_is_told_when_to_come_again(serving: Serving) -> None:
    url = serving(crowded(1, "one"))
    with ExitStack() as stack:
        streaming(stack, url, "one")
        refused = httpx.post(url + CHAT, json=BODY, headers=headers("one"))
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert refused.json()["error"]["type"] == "rate_limit_error"
        assert httpx.get(f"{url}/health").status_code == 200


@pytest.mark.parametrize("key", ["one", None])
def test_a_place_is_free_again_when_a_request_has_ended(serving: Serving, key: str | None) -> None:
    url = serving(crowded(1, *([key] if key else [])))
    for _ in range(3):
        with ExitStack() as stack:
            # the server notices in its own time that the last one has gone
            tries = (streaming(stack, url, key) for _ in range(200))
            assert any(status == 200 for status in tries)
            assert streaming(stack, url, key) == 429


def test_0_is_no_limit(serving: Serving) -> None:
    url = serving(crowded(0, "one"))
    with ExitStack() as stack:
        assert [streaming(stack, url, "one") for _ in range(8)] == [200] * 8
