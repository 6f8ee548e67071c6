from __future__ import annotations

from edge_agent.agent.explore.actions import Actions
from edge_agent.agent.explore.turn import Call
from edge_agent.errors import SearchError
from edge_agent.tools.base import SearchHit

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


async def test_a_search_that_failed_may_be_asked_again() -> None:
    world = World(HARBOUR, search_error="it is down")
    act = actions(world)
    await act.run(search("bell"))
    world.search_error = None
    again = await act.run(search("bell"))
    assert not again.repeated
    assert "Results for" in again.text


async def test_a_page_that_could_not_be_read_is_not_read_again_and_says_why() -> None:
    world = World({})
    act = actions(world)
    await act.run(read("http://h/gone"))
    again = await act.run(read("https://h/gone/"))
    assert world.read == ["http://h/gone"]
    assert "404" in again.text
    assert again.repeated


async def test_the_same_page_under_another_spelling_is_a_repetition() -> None:
    world = World(HARBOUR)
    act = actions(world)
    await act.run(search("Thrift smack"))
    await act.run(read("http://h/thrift"))
    again = await act.run(read("https://www.h/thrift/?utm_source=x#top"))
    assert again.repeated
    assert world.read.count("http://h/thrift") == 1


async def test_a_schema_given_as_a_value_is_told_to_the_model() -> None:
    world = World(HARBOUR)
    copied = {"query": {"type": "string", "description": "What to search."}}
    outcome = await actions(world).run(Call("search", copied))
    assert outcome.action.error is not None
    assert "not a schema" in outcome.text
    assert world.searched == []


async def test_a_list_written_as_text_is_a_list() -> None:
    world = World(HARBOUR)
    await actions(world).run(Call("search", {"query": '["carried bell", "Thrift smack"]'}))
    assert sorted(world.searched) == ["Thrift smack", "carried bell"]


async def test_the_record_says_which_calls_repeated() -> None:
    act = actions(World(HARBOUR))
    first, again = await act.run(search("bell")), await act.run(search("bell"))
    assert (first.action.repeated, again.action.repeated) == (False, True)
    assert act.trail.is_repeat(search("bell"))
    assert not act.trail.is_repeat(search("Bell"))


async def test_what_was_too_much_at_once_may_be_asked_for_again() -> None:
    world = World(HARBOUR)
    act = actions(world)
    many = await act.run(search("carried", "Thrift", "market", "kilograms"))
    assert "ask again for kilograms" in many.text
    assert not (await act.run(search("kilograms"))).repeated
    urls = [*HARBOUR, "http://h/fourth"]
    assert "ask again for http://h/fourth" in (await act.run(read(*urls))).text
    assert "404" in (await act.run(read("http://h/fourth"))).text


async def test_a_query_that_no_engine_answered_is_told_so_and_may_be_asked_again() -> None:
    class Flaky(World):
        async def search(self, query: str, limit: int) -> list[SearchHit]:
            if query == "Thrift" and query not in self.searched:
                self.searched.append(query)
                raise SearchError("it timed out")
            return await super().search(query, limit)

    act = actions(Flaky(HARBOUR))
    both = await act.run(search("carried", "Thrift"))
    assert "“Thrift” was not searched" in both.text
    assert "found nothing" not in both.text
    assert not (await act.run(search("Thrift"))).repeated


async def test_what_the_loop_itself_reads_at_once_is_read_whole() -> None:
    pages = {f"http://h/{i}": f"Smack {i} carried a bell." for i in range(7)}
    world = World(pages)
    outcome = await Actions(world.tools(), hits=0, reads=7).run(search("carried"))
    assert sorted(world.read) == sorted(pages)
    assert len(outcome.pages) == 7
    assert outcome.action.error is None
    assert "at a time" not in outcome.text
