"""Closed book, one-shot and oracle: what they read and what they ask."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_agent.errors import FetchError, RequestError, SearchError
from edge_agent.eval.arms.closed_book import ClosedBook
from edge_agent.eval.arms.one_shot import OneShot
from edge_agent.eval.arms.oracle import Oracle
from edge_agent.eval.gold import Passage
from edge_agent.eval.pages import ToolPages
from edge_agent.eval.question import Question
from tests.agent.fakes import HARBOUR, FakeChat, Says, World

QUESTION = Question("q1", "Who built the smack that carried the bell?", "Ane Pollock")
MANY = {f"http://h/{i}": f"# Page {i}\n\nThe smack of page {i} was built." for i in range(8)}
SAYS = Says(' "Ane Pollock" ')


def pages(world: World) -> ToolPages:
    return ToolPages(world.tools)


async def test_closed_book_asks_once_and_reads_nothing() -> None:
    chat = FakeChat([Says("\n\nAnswer: **Ane Pollock**\nBecause I know.")])
    trial = await ClosedBook(chat).answer(QUESTION)
    assert trial.run.answer == "Ane Pollock"
    assert (trial.run.reason, trial.run.usage.tool_calls) == ("answered", 0)
    (request,) = chat.requests
    assert QUESTION.question in chat.rendered[0]
    assert request.max_tokens and request.max_tokens < 100
    assert request.sampling and request.sampling.temperature == 0


async def test_one_shot_searches_the_raw_question_once_and_reads_the_best_five() -> None:
    chat, world = FakeChat([SAYS]), World(MANY)
    run = (await OneShot(chat, pages(world)).answer(QUESTION)).run
    assert world.searched == [QUESTION.question]
    assert world.read == list(MANY)[:5]
    assert all(f"page {i} was built" in chat.rendered[0] for i in range(5))
    assert "page 5" not in chat.rendered[0]
    assert (run.answer, run.usage.tool_calls) == ("Ane Pollock", 2)
    assert [action.tool for step in run.steps for action in step.actions] == ["search", "fetch_url"]


async def test_long_pages_share_the_window_equally() -> None:
    long = {f"http://h/{i}": f"# P{i}\n\nsmack " + f"w{i} " * 5000 for i in range(5)}
    chat = FakeChat([SAYS], n_ctx=1000)
    await OneShot(chat, pages(World(long))).answer(QUESTION)
    (prompt,) = chat.prompts
    assert 600 < len(prompt) < 1000
    counts = [chat.rendered[0].split().count(f"w{i}") for i in range(5)]
    assert min(counts) > 100 and max(counts) - min(counts) < 20


async def test_one_shot_answers_without_pages_when_nothing_is_found() -> None:
    chat = FakeChat([SAYS])
    run = (await OneShot(chat, pages(World({}))).answer(QUESTION)).run
    assert run.answer == "Ane Pollock" and "(no page)" in chat.rendered[0]


async def test_a_search_that_is_down_is_no_answer_of_the_model() -> None:
    world = World(HARBOUR, search_error="The engine is down.")
    with pytest.raises(SearchError, match="The engine is down"):
        await OneShot(FakeChat([SAYS]), pages(world)).answer(QUESTION)


async def test_pages_that_are_all_gone_are_no_answer_of_the_model() -> None:
    class Gone(World):
        async def fetch(self, url: str) -> object:  # type: ignore[override]
            raise FetchError(f"{url} answered 404.", url, "status")

    with pytest.raises(FetchError, match="404"):
        await OneShot(FakeChat([SAYS]), pages(Gone(HARBOUR))).answer(QUESTION)


async def test_the_oracle_is_given_the_gold_paragraphs_and_searches_nothing() -> None:
    chat, world = FakeChat([SAYS]), World(HARBOUR)
    gold = (Passage("Thrift", "Built by Ane Pollock."), Passage("Bell", "Carried by the Thrift."))
    run = (await Oracle(chat, pages(world)).answer(replace(QUESTION, gold=gold))).run
    assert run.answer == "Ane Pollock"
    assert all(f"{p.title}\n{p.text}".split()[-1] in chat.rendered[0] for p in gold)
    assert world.searched == world.read == []


async def test_the_oracle_finds_the_pages_of_gold_titles() -> None:
    chat, world = FakeChat([SAYS]), World(HARBOUR)
    asked = replace(QUESTION, gold_titles=("thrift", "Bell"))
    await Oracle(chat, pages(world)).answer(asked)
    assert world.read == ["http://h/thrift", "http://h/bell"]
    assert "It weighs 210 kilograms." in chat.rendered[0]


async def test_an_oracle_without_gold_says_so() -> None:
    oracle = Oracle(FakeChat([SAYS]), pages(World(HARBOUR)))
    with pytest.raises(RequestError, match="neither gold paragraphs nor gold_titles"):
        await oracle.answer(QUESTION)
    with pytest.raises(SearchError, match="no search result is titled 'Quay'"):
        await oracle.answer(replace(QUESTION, gold_titles=("Quay",)))
