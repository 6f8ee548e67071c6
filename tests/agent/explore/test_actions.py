from __future__ import annotations

from edge_agent.agent.explore.actions import Actions, Call

from ..fakes import HARBOUR, World


def actions(world: World) -> Actions:
    return Actions(world.tools(), hits=5, reads=0)


def search(*queries: str) -> Call:
    return Call("search", {"query": list(queries)})


def read(*references: str) -> Call:
    return Call("fetch_url", {"url": list(references), "purpose": "to know"})


async def test_a_repeated_search_reads_the_next_unread_result_instead() -> None:
    world = World(HARBOUR)
    act = actions(world)
    await act.run(search("carried bell"))
    again = await act.run(search("the Bell, carried"))
    assert len(world.searched) == 1
    assert world.read == ["http://h/bell"]
    assert [page.url for page in again.pages] == ["http://h/bell"]
    assert again.repeated


async def test_a_repeated_read_reads_the_next_unread_result_instead() -> None:
    world = World(HARBOUR)
    act = actions(world)
    await act.run(search("carried"))
    await act.run(read("1"))
    await act.run(read("http://h/bell/"))
    assert world.read == ["http://h/bell", "http://h/market"]


async def test_a_repeat_with_nothing_unread_says_so() -> None:
    world = World({})
    act = actions(world)
    await act.run(search("carried"))
    outcome = await act.run(search("carried"))
    assert outcome.repeated
    assert "search for something else" in outcome.text


async def test_a_result_is_read_by_its_number_its_title_or_its_url() -> None:
    for reference in ("2", "[2]", "Market", "http://h/market"):
        world = World(HARBOUR)
        act = actions(world)
        await act.run(search("carried"))
        await act.run(read(reference))
        assert world.read == ["http://h/market"]


async def test_a_page_that_is_gone_is_an_outcome_to_read() -> None:
    outcome = await actions(World(HARBOUR)).run(read("http://h/gone"))
    assert outcome.action.error is not None
    assert "404" in outcome.text
    assert outcome.pages == ()


async def test_a_search_engine_that_is_down_is_an_outcome_to_read() -> None:
    outcome = await actions(World(HARBOUR, search_error="it is down")).run(search("bell"))
    assert outcome.action.error is not None
    assert "it is down" in outcome.text


async def test_an_unknown_tool_is_answered_with_the_ones_there_are() -> None:
    outcome = await actions(World(HARBOUR)).run(Call("browse", {}))
    assert "search, fetch_url" in outcome.text


async def test_arguments_of_the_wrong_type_are_an_outcome_to_read() -> None:
    outcome = await actions(World(HARBOUR)).run(Call("fetch_url", {"url": None, "purpose": "x"}))
    assert outcome.repeated or outcome.action.error


async def test_calls_of_a_turn_run_at_once_and_keep_their_order() -> None:
    outcomes = await actions(World(HARBOUR)).run_all([search("bell"), search("Thrift")])
    assert [o.action.arguments["query"] for o in outcomes] == [["bell"], ["Thrift"]]
