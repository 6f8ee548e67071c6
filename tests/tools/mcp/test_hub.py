from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge_agent.errors import ToolError
from edge_agent.tools.base import Page
from edge_agent.tools.mcp.approval import DECIDED, NOBODY
from edge_agent.tools.mcp.hub import opened
from edge_agent.tools.mcp.link import Remote
from edge_agent.tools.mcp.servers import McpServer
from edge_agent.tools.mcp.tool import Verbatim, name_of
from tests.patience import until

from .fakes import PRICE, FakeLink

LAMP = {"article": "lamp"}


def server(name: str = "shop", **more: Any) -> McpServer:
    return McpServer(name, "shop", **{"approval": "allow", **more})


def silent(line: str) -> None:
    pass


async def test_tools_are_named_after_their_server_and_called_there() -> None:
    link = FakeLink()
    async with opened([server()], lambda _: link, silent) as hub:
        tool = hub.tools["shop_price"]
        assert (tool.description, tool.parameters) == (PRICE.description, PRICE.parameters)
        page = await tool.call(LAMP)
    assert link.called == [("price", LAMP)] and link.closed
    assert isinstance(page, Page) and page.text == "The lamp costs 3 crowns."
    assert (page.url, page.title) == ("mcp://shop/price?article=lamp", "shop: Price (lamp)")
    assert page.source == "mcp:shop"


async def test_a_caller_who_decides_for_himself_gets_the_tools_own_words() -> None:
    link = FakeLink(says='{"lamp": 3}')
    async with opened([server(approval="ask")], lambda _: link, silent) as hub:
        assert await Verbatim.of_tool(hub.tools["shop_price"]).call(LAMP) == '{"lamp": 3}'
        async with opened([server()], lambda _: link, silent) as allowed:
            assert (await allowed.tools["shop_price"].call(LAMP)).text == "lamp: 3"


async def test_two_calls_are_two_pages_and_the_same_call_is_one() -> None:
    async with opened([server()], lambda _: FakeLink(), silent) as hub:
        tool = hub.tools["shop_price"]
        urls = [(await tool.call({"article": a})).url for a in ("lamp", "bell", "lamp")]
    assert urls[0] == urls[2] != urls[1]


async def test_a_denied_tool_is_not_there_and_one_that_asks_waits_for_a_word() -> None:
    link = FakeLink((PRICE, replace(PRICE, name="order"), replace(PRICE, name="delete")))
    approvals = {"delete": "deny", "order": "ask"}
    for approver, allowed in ((NOBODY, False), (DECIDED, True)):
        asked = server(approvals=approvals)
        async with opened([asked], lambda _: link, silent, approver) as hub:
            assert list(hub.tools) == ["shop_price", "shop_order"]
            if allowed:
                assert "3 crowns" in (await hub.tools["shop_order"].call(LAMP)).text
                continue
            with pytest.raises(ToolError, match="nobody has allowed it"):
                await hub.tools["shop_order"].call(LAMP)
            assert link.called == []


async def test_a_server_that_does_not_start_is_told_of_and_the_others_go_on() -> None:
    links = {"good": FakeLink(), "bad": FakeLink(fault="bad did not start: no paper.")}
    told: list[str] = []
    servers = [server("bad"), server("good")]
    async with opened(servers, lambda s: links[s.name], told.append) as hub:
        assert list(hub.tools) == ["good_price"]
        assert hub.failures == {"bad": "bad did not start: no paper."}
    assert "no paper" in told[0] and links["bad"].closed


async def test_a_server_that_did_not_start_is_tried_again_behind_the_rest() -> None:
    link, told = FakeLink(fault="shop did not start: no paper."), list[str]()
    async with opened([server()], lambda _: link, told.append, again_s=0.001) as hub:
        await until(lambda: link.listed > 2)
        assert hub.tools == {} and len(told) == 1  # said once
        link.fault = ""
        await until(lambda: list(hub.tools) == ["shop_price"])
        assert hub.failures == {} and "3 crowns" in (await hub.tools["shop_price"].call(LAMP)).text
    assert told[1:] == ["MCP: shop has price now."]


async def test_a_server_that_has_other_tools_is_asked_for_them() -> None:
    links = {"shop": FakeLink(), "mill": FakeLink()}
    told: list[str] = []
    servers = [server(), server("mill")]
    async with opened(servers, lambda s: links[s.name], told.append, again_s=0.001) as hub:
        links["shop"].remotes = (replace(PRICE, name="stock"), PRICE)
        links["shop"].news.set()
        await until(lambda: "shop_stock" in hub.tools)
        assert sorted(hub.tools) == ["mill_price", "shop_price", "shop_stock"]
        links["shop"].fault = "shop is closed."  # what it had stays, and it is tried again
        links["shop"].news.set()
        await until(lambda: "shop" in hub.failures)
        assert "shop_stock" in hub.tools
        links["shop"].fault, links["shop"].remotes = "", ()
        await until(lambda: list(hub.tools) == ["mill_price"])
    assert told[0] == "MCP: shop has stock, price now." and told[-1] == "MCP: shop has no tool now."


async def test_of_two_tools_with_one_name_the_first_stays() -> None:
    links = {"a": FakeLink((replace(PRICE, name="b_c"),)), "a_b": FakeLink((Remote("c", "", {}),))}
    told: list[str] = []
    servers = [server("a"), server("a_b")]
    async with opened(servers, lambda s: links[s.name], told.append) as hub:
        assert [tool.server for tool in hub.tools.values()] == ["a"]
    assert "two tools a_b_c" in told[0]


async def test_hanging_up_does_not_wait_and_closing_does() -> None:
    link = FakeLink()
    async with opened([server()], lambda _: link, silent) as hub:
        hub.hang_up()
        assert not link.closed
        await until(lambda: link.closed)


async def test_an_empty_answer_is_said_to_be_one() -> None:
    async with opened([server()], lambda _: FakeLink(says=" "), silent) as hub:
        with pytest.raises(ToolError, match="gave back nothing"):
            await hub.tools["shop_price"].call(LAMP)


@pytest.mark.parametrize(
    ("server", "tool", "name"),
    [
        ("shop", "price", "shop_price"),
        ("my.shop", "price/of", "my_shop_price_of"),
        ("s", "x" * 99, "s_" + "x" * 62),
    ],
)
def test_names_are_such_as_every_api_takes(server: str, tool: str, name: str) -> None:
    assert name_of(server, tool) == name
