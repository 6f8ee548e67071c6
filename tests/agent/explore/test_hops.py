"""Questions of several hops, asked one hop at a time."""

from __future__ import annotations

from edge_agent.agent.records import Limits, ThoughtDelta

from ..fakes import World, search
from .kit import PLAIN, Kit, Watched

QUESTION = "Where was the director of the film Glass Harbour born?"
FIRST = "Who is the director of the film Glass Harbour?"
SECOND = "Where was Lena Tarr born?"
PAGES = {
    "http://h/glass harbour": "# Glass Harbour\n\nGlass Harbour is a film directed by Lena Tarr.",
    "http://h/lena tarr": "# Lena Tarr\n\nLena Tarr, a director, was born in Mossby in 1902.",
    "http://h/birth": "# Birth\n\nThe place where a person was born is told in many films.",
}


def kit_of(
    *answers: str, question: str = QUESTION, world: World | None = None, **more: object
) -> Kit:
    chat = Watched(search("harbour film"), answers=answers)
    return Kit(
        chat,
        world or World(PAGES),
        PLAIN,
        task=question,
        in_hops=True,
        **more,  # type: ignore[arg-type]
    )


async def test_each_hop_is_searched_by_the_name_that_the_last_one_found() -> None:
    kit = kit_of("Lena Tarr", "Mossby")
    ending = await kit.explorer.explore()
    assert ending.drawn is not None
    assert (ending.reason, ending.drawn.text) == ("answered", "Mossby")
    assert kit.world.searched == [FIRST, "Lena Tarr", SECOND]
    assert [(step.thought, step.text) for step in kit.steps] == [
        (FIRST, "Lena Tarr"),
        (SECOND, "Mossby"),
    ]
    assert kit.told(ThoughtDelta) == [ThoughtDelta(1, FIRST), ThoughtDelta(2, SECOND)]


async def test_the_page_about_the_name_is_read_and_no_other() -> None:
    kit = kit_of("Lena Tarr", "Mossby", world=World({**PAGES, "http://h/tarr": "# Tarr\n\nTarr."}))
    await kit.explorer.step()
    read = len(kit.world.read)
    await kit.explorer.step()
    assert [url for url in kit.world.read[read:] if url != "http://h/lena tarr"] == []


async def test_a_hop_reads_the_page_about_what_its_description_names() -> None:
    pages = {"http://h/film": "# Film\n\nThe director of the film Night Ferry is Ode Brand."}
    kit = kit_of("Lena Tarr", world=World({**pages, **PAGES}))
    await kit.explorer.step()
    assert kit.world.read == ["http://h/glass harbour"]


async def test_a_description_without_the_name_found_before_is_looked_up_by_its_own() -> None:
    question = "When did the director of Glass Harbour meet the painter of Night Ferry?"
    pages = {**PAGES, "http://h/night ferry": "# Night Ferry\n\nOde Brand painted it in 1931."}
    kit = kit_of("Ode Brand", "Lena Tarr", "1931", question=question, world=World(pages))
    await kit.explorer.step()
    await kit.explorer.step()
    asked = ["Who is the painter of Night Ferry?", "Who is the director of Glass Harbour?"]
    assert kit.world.searched == asked
    assert kit.world.read == ["http://h/night ferry", "http://h/glass harbour"]


async def test_where_the_question_names_others_its_own_results_are_read_too() -> None:
    question = "When did the director of the film Glass Harbour paint Night Ferry?"
    pages = {**PAGES, "http://h/night ferry": "# Night Ferry\n\nLena Tarr painted it in 1931."}
    kit = kit_of("Lena Tarr", "1931", question=question, world=World(pages))
    ending = await kit.explorer.explore()
    assert ending.drawn is not None
    assert ending.drawn.text == "1931"
    assert {"http://h/lena tarr", "http://h/night ferry"} <= set(kit.world.read)


async def test_the_answer_cites_what_proves_each_hop() -> None:
    ending = await kit_of("Lena Tarr", "Mossby").explorer.explore()
    assert ending.drawn is not None
    assert ending.drawn.claims[0].text == f"{FIRST} Lena Tarr"
    cited = {citation.quote for citation in ending.drawn.citations}
    assert any("directed by Lena Tarr" in quote for quote in cited)
    assert all(any(c.quote in text for text in PAGES.values()) for c in ending.drawn.citations)


async def test_a_hop_that_finds_no_name_asks_the_question_as_it_stands() -> None:
    for nothing in (
        "not found",
        "someone who made many films about harbours and glass in the north",
    ):
        kit = kit_of(nothing, "Mossby")
        ending = await kit.explorer.explore()
        assert ending.drawn is not None
        assert ending.drawn.text == "Mossby"
        assert kit.world.searched == [FIRST, QUESTION]
        assert kit.steps[0].text == ""


async def test_what_only_tells_two_works_apart_may_be_what_a_hop_finds() -> None:
    question = "Where was the performer of song Glass Harbour (Lena Tarr song) born?"
    kit = kit_of("Lena Tarr", "Mossby", question=question)
    await kit.explorer.explore()
    assert [step.text for step in kit.steps] == ["Lena Tarr", "Mossby"]
    kit = kit_of("Glass Harbour", "Mossby", question=question)
    await kit.explorer.explore()
    assert kit.steps[0].text == ""


async def test_a_last_hop_without_an_answer_asks_the_question_as_it_stands() -> None:
    kit = kit_of("Lena Tarr", "not found", "Mossby")
    ending = await kit.explorer.explore()
    assert ending.drawn is not None
    assert ending.drawn.text == "Mossby"
    assert kit.world.searched == [FIRST, "Lena Tarr", SECOND, QUESTION]


async def test_a_simple_question_and_one_of_yes_or_no_are_asked_as_they_stand() -> None:
    for question in (
        "Who directed Glass Harbour?",
        "Was the director of Glass Harbour born in Mossby?",
        f"Earlier: {QUESTION}\n\nAnd where was the painter of Night Ferry born?",
    ):
        kit = kit_of("Lena Tarr", question=question)
        await kit.explorer.explore()
        assert kit.world.searched[0] == question


async def test_a_small_budget_is_not_spent_on_hops() -> None:
    kit = kit_of("Mossby", limits=Limits(steps=2))
    await kit.explorer.explore()
    assert kit.world.searched[0] == QUESTION


async def test_a_search_that_fails_ends_no_run_that_could_go_on() -> None:
    kit = kit_of("Lena Tarr", world=World(PAGES, search_error="down"), limits=Limits(steps=4))
    ending = await kit.explorer.explore()
    assert ending.reason != "answered"
    assert kit.world.searched[:2] == [FIRST, QUESTION]


async def test_a_run_that_was_cut_off_goes_on_with_the_next_hop() -> None:
    first = kit_of("Lena Tarr", "Mossby")
    await first.explorer.step()
    kit = kit_of("Mossby")
    kit.explorer.restore(first.state())
    ending = await kit.explorer.explore()
    assert ending.drawn is not None
    assert ending.drawn.text == "Mossby"
    assert kit.world.searched == ["Lena Tarr", SECOND]
    (proof,) = ending.drawn.claims[0].citations
    assert (ending.drawn.claims[0].text, proof.url) == (
        f"{FIRST} Lena Tarr",
        "http://h/glass harbour",
    )
    assert [step.number for step in kit.steps] == [2]


async def test_a_run_that_had_given_its_hops_up_does_not_begin_them_again() -> None:
    first = kit_of("not found", "not found")
    await first.explorer.step()
    kit = kit_of("Mossby")
    kit.explorer.restore(first.state())
    await kit.explorer.explore()
    assert FIRST not in kit.world.searched
    assert SECOND not in kit.world.searched
