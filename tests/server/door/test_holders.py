"""With several keys each sees only what it made: to all others it is not there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge_agent.chat.messages import ChatRequest, Message
from edge_agent.errors import NotFound
from edge_agent.server.app import create_app
from edge_agent.server.door.holder import Holder, id_of
from edge_agent.server.held import HeldChat
from edge_agent.server.services import Services
from tests.patience import HANG_S
from tests.server.conftest import eventually, running
from tests.server.fakes import FakeAgent, FakeChat
from tests.server.house import house

KEPT = ("/v1/responses/{id}", "/responses/{id}", "/agent/runs/{id}")
BODIES = {"/agent/runs/{id}/follow-up": {"task": "And since when?"}}


def doors() -> list[tuple[str, str]]:
    """Every method and path that names something kept."""
    app = create_app(Services(FakeChat(), FakeAgent()))
    paths = app.openapi()["paths"]
    return [(m.upper(), p) for p in paths for m in paths[p] if p.startswith(KEPT)]


class Client:
    """One key's way to a server."""

    def __init__(self, url: str, key: str | None) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return httpx.request(
            method, self._url + path, json=body, headers=self._headers, timeout=HANG_S
        )

    def respond(self, **body: Any) -> Any:
        return self.ask("POST", "/v1/responses", {"input": "Hi", **body}).json()

    def run(self) -> str:
        answer = self.ask("POST", "/agent/run", {"task": "Who?", "background": True})
        return str(answer.json()["id"])

    def runs(self, query: str = "") -> list[str]:
        return [run["id"] for run in self.ask("GET", f"/agent/runs{query}").json()["data"]]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with house(tmp_path_factory.mktemp("house")) as services:
        keyed = replace(services, api_keys=("one", "two"))
        with running(keyed) as at:
            yield at


@pytest.fixture
def one(url: str) -> Client:
    return Client(url, "one")


@pytest.fixture
def two(url: str) -> Client:
    return Client(url, "two")


def test_there_are_such_doors() -> None:
    assert {path.split("/{id}")[0] for _, path in doors()} == {"/v1/responses", "/agent/runs"}
    assert len(doors()) >= 10


@pytest.mark.parametrize(("method", "path"), doors())
def test_what_is_anothers_is_as_if_it_were_not_there(
    one: Client, two: Client, method: str, path: str
) -> None:
    mine = one.run() if "runs" in path else one.respond()["id"]
    nothing = f"{mine[:-6]}abcdef"
    body = BODIES.get(path)
    foreign = two.ask(method, path.format(id=mine), body)
    unknown = two.ask(method, path.format(id=nothing), body)
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert foreign.text.replace(mine, "ID") == unknown.text.replace(nothing, "ID")
    kept = "/agent/runs" if "runs" in path else "/v1/responses"
    seen = one.ask("GET", f"{kept}/{mine}")
    assert seen.status_code == 200 and seen.json()["status"] != "cancelled"


def test_a_list_has_ones_own_and_pages_go_by_ones_own(one: Client, two: Client) -> None:
    mine, others = one.run(), two.run()
    assert mine in one.runs() and others not in one.runs()
    assert two.ask("GET", f"/agent/runs?before={mine}").status_code == 404
    assert mine not in one.runs(f"?before={mine}")


def test_nothing_goes_on_from_what_is_anothers(one: Client, two: Client) -> None:
    first = one.respond()
    item = {"type": "item_reference", "id": first["output"][0]["id"]}
    for body in ({"previous_response_id": first["id"]}, {"input": [item]}):
        assert one.respond(**body)["status"] == "completed"
        refused = two.respond(**body)["error"]
        assert refused["code"] == 400 and "There is no" in refused["message"]


def test_a_run_of_the_agent_as_a_model_is_its_askers(one: Client, two: Client) -> None:
    before = set(two.runs())
    body = {"model": "agent", "messages": [{"role": "user", "content": "Who?"}]}
    assert one.ask("POST", "/v1/chat/completions", body).status_code == 200
    assert one.runs()[0] not in two.runs() and set(two.runs()) == before


def test_a_response_of_the_background_is_seen_by_its_key_while_it_is_written(
    one: Client, two: Client
) -> None:
    mine = one.respond(background=True, reasoning={"effort": "high"})["id"]
    assert one.ask("GET", f"/v1/responses/{mine}").status_code == 200
    assert two.ask("POST", f"/v1/responses/{mine}/cancel").status_code == 404
    assert two.ask("DELETE", f"/v1/responses/{mine}").status_code == 404
    ended = one.ask("POST", f"/v1/responses/{mine}/cancel").json()
    assert ended["status"] in ("cancelled", "completed")


def served(services: Services, *keys: str) -> Any:
    return running(replace(services, api_keys=keys))


def test_what_no_key_made_is_the_only_keys_and_nobodys_of_several(tmp_path: Path) -> None:
    with house(tmp_path) as services:
        with served(services) as url:
            anyone = Client(url, None)
            response, run = anyone.respond()["id"], anyone.run()
            assert anyone.runs() == [run]
        with served(services, "one") as url:
            mine = Client(url, "one").respond()["id"]
            assert Client(url, "one").runs() == [run]
            assert Client(url, "one").ask("GET", f"/v1/responses/{response}").status_code == 200
        with served(services, "one", "two") as url:
            assert Client(url, "one").runs() == []
            assert Client(url, "one").ask("GET", f"/v1/responses/{mine}").status_code == 200
        with served(services) as url:
            seen = [Client(url, None).ask("GET", f"/v1/responses/{i}") for i in (response, mine)]
            assert [answer.status_code for answer in seen] == [200, 404]


def test_the_name_of_a_key_stays_the_same_and_does_not_hold_it() -> None:
    assert id_of(b"one") == id_of(b"one") == "231b415853d4f57e5df215b7f8a91ec6"
    assert id_of(b"two") != id_of(b"one")
    assert Holder("x", alone=False).ids == ("x",)
    assert (Holder("x").ids, Holder().ids) == (("x", ""), ("",))


class Thinking(FakeChat):
    """Thinks under the names that it was asked by."""

    async def stop_thinking(self, name: str) -> bool:
        if name not in [request.name for request in self.requests]:
            raise NotFound(f"No generation named {name!r} is running.")
        self.stopped.append(name)
        return True


async def test_a_thought_is_stopped_by_whose_it_is() -> None:
    chat = Thinking()
    mine, other = HeldChat(chat, "mine"), HeldChat(chat, "other")
    mine.prepare(ChatRequest((Message("user", "Hi"),), name="resp_1"))
    with pytest.raises(NotFound, match=r"named 'resp_1' is"):
        await other.stop_thinking("resp_1")
    assert await mine.stop_thinking("resp_1") and len(chat.stopped) == 1


def test_a_thought_cannot_be_stopped_by_another_key(one: Client, two: Client) -> None:
    mine = one.respond(background=True, reasoning={"effort": "high"})["id"]
    path = f"/v1/responses/{mine}"
    assert eventually(lambda: one.ask("GET", path).json()["status"] == "in_progress")
    assert two.ask("GET", path).status_code == 404
    one.ask("POST", f"{path}/cancel")
