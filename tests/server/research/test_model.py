"""The agent as a model: a chat client asks, and reads steps as thoughts and the answer as text."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from edge_agent.agent.explore.profile import PROFILES
from edge_agent.agent.records import (
    Answered,
    Citation,
    Claim,
    Limits,
    Note,
    NoteTaken,
    Retried,
    RunStarted,
    StepStarted,
    TextDelta,
    ThoughtDelta,
    ToolCalled,
    ToolReturned,
)
from edge_agent.agent.runs.service import AgentService
from edge_agent.errors import EngineBusy, GrammarError
from edge_agent.server.research.cited import answer_of
from edge_agent.server.responses.desk import Desk
from edge_agent.server.services import ServedModel, Services
from edge_agent.store.journal import open_journal
from edge_agent.store.responses import open_responses
from edge_agent.store.runs import RunStore
from tests.agent.fakes import HARBOUR, World, search
from tests.agent.fakes import FakeChat as ScriptedChat
from tests.patience import HANG_S
from tests.server.conftest import Serving, eventually
from tests.server.fakes import RUN, FakeAgent, FakeChat, Forever

ISLE = Citation("isle", "http://isle/light", "The light", "The light is kept by Ada Holm.")
BOAT = Citation("web", "http://boat/", "Boats", "Boats come on Mondays.")
LONG = replace(
    RUN,
    answer="Ada Holm keeps the light. Boats come on Mondays. Nobody knows why.",
    citations=(ISLE, BOAT),
    claims=(
        Claim("Ada Holm keeps the light.", (ISLE,)),
        Claim("Boats come on Mondays.", (BOAT, ISLE)),
        Claim("Nobody knows why."),
    ),
)
EVERYTHING = (
    RunStarted("run-1", RUN.task, RUN.model),
    StepStarted(1),
    ThoughtDelta(1, "Who keeps "),
    ThoughtDelta(1, "it?"),
    ToolCalled(1, 1, "search", {"query": "the light", "page": None}),
    ToolReturned(1, 1, "search", "2 results"),
    ToolCalled(1, 2, "fetch_url", {"url": "http://isle/light"}),
    ToolReturned(1, 2, "fetch_url", "", "no such page"),
    NoteTaken(1, Note("isle", "http://isle/light", "The light", "kept by Ada Holm")),
    StepStarted(2),
    TextDelta(2, "I know."),
    Retried(2, "It went round."),
    Answered(LONG),
)
STEPS = """\
Who keeps it?
→ search query: the light
← 2 results
→ fetch_url url: http://isle/light
← no such page
• The light

I know.
(once more: It went round.)
"""
MARKED = (
    "Ada Holm keeps the light. [1] Boats come on Mondays. [2][1] Nobody knows why."
    "\n\nSources:\n"
    "[1] The light — http://isle/light: “The light is kept by Ada Holm.”\n"
    "[2] Boats — http://boat/: “Boats come on Mondays.”"
)
USER: Any = [{"role": "user", "content": "Who keeps the light?"}]


@pytest.fixture
def ask(serving: Serving) -> Any:
    """The client of a server whose agent plays this script."""

    def made(agent: FakeAgent, **more: Any) -> openai.OpenAI:
        url = serving(Services(FakeChat(), agent, **more))
        return openai.OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0, timeout=HANG_S)

    return made


@pytest.mark.parametrize("name", ["agent", "fake-1b-agent", "tiny-agent"])
def test_its_names_run_the_agent_and_others_do_not(ask: Any, name: str) -> None:
    agent = FakeAgent()
    tiny = ServedModel(name="fake-1b", aliases=("tiny",), size=None, n_ctx=None)
    client = ask(agent, models=[tiny])
    answer = client.chat.completions.create(model=name, messages=USER)
    assert answer.model == "fake-1b-agent"
    assert answer.choices[0].message.content.startswith("Ada Holm [1]")
    assert [task.task for task in agent.tasks] == ["Who keeps the light?"]
    client.chat.completions.create(model="tiny", messages=USER)
    assert len(agent.tasks) == 1


def test_a_model_that_is_called_agent_is_itself(ask: Any) -> None:
    agent = FakeAgent()
    mine = ServedModel(name="fake-1b", aliases=("agent",), size=None, n_ctx=None)
    client = ask(agent, models=[mine])
    client.chat.completions.create(model="agent", messages=USER)
    assert agent.tasks == []
    assert [model.id for model in client.models.list().data] == ["fake-1b", "fake-1b-agent"]


def test_it_is_listed_beside_the_model_and_not_among_what_is_loaded(ask: Any) -> None:
    client = ask(FakeAgent())
    assert [model.id for model in client.models.list().data] == ["fake-1b", "agent"]
    assert client.models.retrieve("fake-1b-agent").id == "agent"
    loaded = httpx.get(str(client.base_url).replace("/v1/", "/models")).json()["data"]
    assert [model["id"] for model in loaded] == ["fake-1b"]


def test_a_chat_streams_its_steps_as_reasoning_and_its_answer_as_content(ask: Any) -> None:
    stream = ask(FakeAgent(EVERYTHING)).chat.completions.create(
        model="agent", messages=USER, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join(d.model_extra.get("reasoning_content") or "" for d in deltas) == STEPS
    assert "".join(d.content or "" for d in deltas) == MARKED
    cited = [a for d in deltas for a in d.model_extra.get("annotations") or []]
    assert [a["url_citation"]["url"] for a in cited] == [ISLE.url, BOAT.url, ISLE.url]
    assert chunks[-1].usage.prompt_tokens == 10 and chunks[-1].usage.completion_tokens == 3


def test_annotations_point_at_the_marks(ask: Any) -> None:
    message = ask(FakeAgent(EVERYTHING)).chat.completions.create(model="agent", messages=USER)
    choice = message.choices[0]
    marks = [a.url_citation for a in choice.message.annotations]
    spans = [choice.message.content[mark.start_index : mark.end_index] for mark in marks]
    assert spans == ["[1]", "[2]", "[1]"]
    assert (marks[0].title, marks[0].url) == (ISLE.title, ISLE.url)


def test_a_response_has_the_steps_and_the_cited_answer_and_goes_on(ask: Any, tmp_path: Any) -> None:
    agent = FakeAgent(EVERYTHING)
    store = open_responses(tmp_path / "r.sqlite")
    client = ask(agent, responses=Desk(store))
    create = client.responses.create
    events = list(create(model="agent", input="Who keeps the light?", stream=True))
    deltas = [e.delta for e in events if e.type == "response.reasoning_text.delta"]
    assert "".join(deltas) == STEPS
    added = [e.annotation for e in events if e.type == "response.output_text.annotation.added"]
    response = events[-1].response
    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert response.output_text == MARKED
    kept = response.output[1].content[0].annotations
    assert [a.to_dict() for a in kept] == [a.to_dict() for a in added]
    assert response.usage.input_tokens == 10
    create(model="agent", input="And the boats?", previous_response_id=response.id)
    assert response.model_extra["run_id"] == "run-1"
    assert (agent.tasks[-1].task, agent.tasks[-1].follows) == ("And the boats?", "run-1")
    store.close()


def test_a_response_of_the_agent_can_be_made_in_the_background(ask: Any, tmp_path: Any) -> None:
    store = open_responses(tmp_path / "r.sqlite")
    client = ask(FakeAgent(EVERYTHING), responses=Desk(store))
    begun = client.responses.create(model="agent", input="Who?", background=True)
    assert eventually(lambda: client.responses.retrieve(begun.id).status == "completed")
    assert client.responses.retrieve(begun.id).output_text == MARKED
    store.close()


def test_what_was_said_before_and_how_to_answer_stand_behind_the_task(ask: Any) -> None:
    agent = FakeAgent()
    messages = [
        {"role": "system", "content": "Answer in French."},
        {"role": "user", "content": "Who keeps the light?"},
        {"role": "assistant", "content": "Ada Holm [1]\n\nSources:\n[1] The light"},
        {"role": "user", "content": "Since when?"},
    ]
    ask(agent).chat.completions.create(model="agent", messages=messages)
    told = agent.tasks[0].task
    assert told.startswith("Since when?\n\n")
    assert "- Who keeps the light? Ada Holm [1]" in told
    assert "Sources" not in told
    assert told.endswith("\n\nAnswer in French.")


def test_efforts_and_limits_bound_the_run(ask: Any) -> None:
    agent, usual = FakeAgent(), Limits()
    client = ask(agent)
    client.chat.completions.create(model="agent", messages=USER)
    client.chat.completions.create(model="agent", messages=USER, reasoning_effort="low")
    client.responses.create(model="agent", input="Who?", max_output_tokens=500)
    first, low, few = (task.limits for task in agent.tasks)
    assert first == usual
    assert (low.steps, low.seconds) == (usual.steps // 2, usual.seconds / 2)
    assert (few.tokens, few.steps) == (500, usual.steps)


def test_a_schema_asks_for_an_output_and_nothing_else(ask: Any) -> None:
    agent = FakeAgent([Answered(replace(LONG, output={"keeper": "Ada Holm"}))])
    schema = {"type": "object", "properties": {"keeper": {"type": "string"}}}
    answer = ask(agent).chat.completions.create(
        model="agent",
        messages=USER,
        response_format={"type": "json_schema", "json_schema": {"name": "k", "schema": schema}},
    )
    assert json.loads(answer.choices[0].message.content) == {"keeper": "Ada Holm"}
    assert agent.tasks[0].output_schema == schema


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({"tools": [{"type": "function", "function": {"name": "x"}}]}, 501, "tools"),
        ({"n": 2}, 501, "n"),
        ({"logprobs": True}, 501, "logprobs"),
        ({"stop": ["\n"]}, 501, "stop"),
        ({"messages": [*USER, {"role": "assistant", "content": "It is"}]}, 501, "messages"),
        ({"messages": [{"role": "system", "content": "Be brief."}]}, 400, "messages"),
        ({"messages": [{"role": "user", "content": " "}]}, 400, "messages"),
    ],
)
def test_what_a_run_cannot_honour_is_named(ask: Any, body: Any, status: int, named: str) -> None:
    agent = FakeAgent()
    url = str(ask(agent).base_url)
    reply = httpx.post(f"{url}chat/completions", json={"model": "agent", "messages": USER, **body})
    assert (reply.status_code, reply.json()["error"]["param"]) == (status, named), reply.text
    assert agent.tasks == []


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "status"), [(GrammarError("No."), 400), (EngineBusy("F.", 1), 429)]
)
def test_what_is_wrong_before_a_run_begins_is_a_status(
    ask: Any, error: Exception, status: int, stream: bool
) -> None:
    client = ask(FakeAgent([error]))
    for create in (
        lambda: client.chat.completions.create(model="agent", messages=USER, stream=stream),
        lambda: client.responses.create(model="agent", input="Who?", stream=stream),
    ):
        with pytest.raises(openai.APIStatusError) as caught:
            create()
        assert caught.value.status_code == status


def test_who_goes_cancels_the_run(ask: Any) -> None:
    agent = FakeAgent([RunStarted("run-1", "t", "m"), Forever(ThoughtDelta(1, "hm "))])
    with ask(agent).chat.completions.create(model="agent", messages=USER, stream=True) as stream:
        next(iter(stream))
    assert eventually(lambda: agent.script.closed == 1)


def test_an_answer_without_claims_is_cited_as_a_whole() -> None:
    text = answer_of(RUN)
    assert text.text.startswith("Ada Holm [1]\n\nSources:\n[1] The light — http://isle/light")
    assert text.text[text.citations[0].start : text.citations[0].end] == "[1]"


def test_what_was_not_found_says_where_it_was_looked_for() -> None:
    missing = replace(RUN, answer="Not found", citations=(), tried=("light", "keeper"))
    assert answer_of(missing).text == "Not found\n\nLooked for: light; keeper"
    assert answer_of(missing, as_json=True).text == "null"


def test_remarks_on_an_answer_are_told_with_it() -> None:
    doubted = replace(RUN, citations=(), remarks=("Two sources contradict each other.",))
    assert answer_of(doubted).text == "Ada Holm\n\nNote: Two sources contradict each other."


def test_a_claim_that_is_not_in_the_answer_marks_nothing() -> None:
    odd = replace(LONG, claims=(Claim("Something else.", (ISLE,)),), citations=())
    assert answer_of(odd).text == LONG.answer


def test_each_source_has_one_number_however_often_it_is_cited() -> None:
    again = replace(ISLE, quote="It is hers.")
    twice = replace(LONG, claims=(Claim("Ada Holm keeps the light.", (ISLE, again)),))
    assert answer_of(twice).text.count("[1]") == 2  # the mark, and the source


def test_a_real_run_answers_a_chat(serving: Serving, tmp_path: Path) -> None:
    store = RunStore(open_journal(tmp_path / "journal.sqlite"))
    world, chat = World(HARBOUR), ScriptedChat([search("Thrift builder")], ["Ane Pollock"])
    plain = replace(PROFILES["plain"], reads=3, follows=0)
    service = AgentService(chat, plain, lambda library: world.tools(), store, None)
    client = openai.OpenAI(base_url=f"{serving(Services(chat, service))}/v1", api_key="unused")
    question: Any = [{"role": "user", "content": "Who built the smack that carried the bell?"}]
    message = client.chat.completions.create(model="agent", messages=question).choices[0].message
    more: Any = message.model_extra
    assert message.content and message.content.startswith("Ane Pollock [1]")
    assert message.annotations and "→ search query: Thrift builder" in more["reasoning_content"]
    assert [row.status for row in store.list()] == ["completed"]


def test_a_response_that_goes_on_begins_with_what_the_run_before_had_found(
    serving: Serving, tmp_path: Path
) -> None:
    journal, kept = RunStore(open_journal(tmp_path / "j.sqlite")), open_responses(tmp_path / "r")
    world = World(HARBOUR)
    turns = [search("Thrift builder"), search("Mondays")]
    chat = ScriptedChat(turns, ["Ane Pollock", "1871"])
    plain = replace(PROFILES["plain"], reads=3, follows=0)
    service = AgentService(chat, plain, lambda library: world.tools(), journal, None)
    url = serving(Services(chat, service, responses=Desk(kept)))
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="unused")
    first = client.responses.create(model="agent", input="Who built the smack of the bell?")
    client.responses.create(model="agent", input="And when?", previous_response_id=first.id)
    last, before = journal.list()
    assert journal.get(last.id).extra["task"]["follows"] == before.id
    assert any("And when?" in text and "Ane Pollock" in text for text in chat.rendered)
    kept.close()
