"""What a turn comes to for the model and its memory."""

from __future__ import annotations

from edge_agent.agent.answer.objection import Objection
from edge_agent.agent.explore.outcome import outcome_of
from edge_agent.agent.explore.thinker import Thinking
from edge_agent.agent.explore.turn import Call, Turn
from edge_agent.agent.explore.upshot import Upshot
from edge_agent.agent.memory.items import Item
from edge_agent.agent.records import Note
from edge_agent.tools.base import Page

WHY = "No fact says so."
LEFT = "One turn is left: write the answer in it."


def upshot(turn: Turn, objection: Objection | None = None) -> Upshot:
    return Upshot(3, Thinking(turn), (), (), objection)


def test_an_objection_is_told_with_the_answer_it_is_to() -> None:
    texts, items = upshot(Turn(answer="Bo"), Objection("Bo", WHY)).told("")
    assert (texts, items) == ([WHY], [Item("answer", WHY, answer="Bo")])
    assert items[0].alone().text == f"Answer so far: “Bo”. {WHY}"


def test_giving_up_and_an_error_are_nudges() -> None:
    for some in (upshot(Turn(), Objection("", WHY)), upshot(Turn(error=WHY))):
        assert some.told("") == ([WHY], [Item("nudge", WHY)])
    assert upshot(Turn(answer="Ane")).told("") == ([""], [])


def test_what_is_left_stands_behind_everything_else() -> None:
    assert upshot(Turn()).told(LEFT) == ([LEFT], [Item("nudge", LEFT)])
    texts, items = upshot(Turn(error=WHY)).told(LEFT)
    assert (texts, [item.text for item in items]) == ([f"{WHY}\n\n{LEFT}"], [WHY, LEFT])


def test_each_call_is_told_with_the_notes_of_its_own_pages() -> None:
    page = Page("http://h/bell", "Bell", "It was carried.", "", "w", "")
    read = outcome_of(Call("fetch_url", {"url": ["1"]}), "read “Bell”", "", (page,), "why")
    found = outcome_of(Call("search", {"query": ["x"]}), "1 results", "Results:")
    note = Note("w", page.url, "Bell", "From “Bell”:\n[1] It was carried.")
    some = Upshot(1, Thinking(Turn(thought="Hm.")), (found, read), (note,))
    texts, items = some.told("")
    assert texts == ["Results:", note.text]
    assert [item.kind for item in items] == ["results", "title", "fact"]
    step = some.step(1.23456)
    assert (step.number, step.thought, step.seconds) == (1, "Hm.", 1.235)
    assert (step.actions, step.notes) == ((found.action, read.action), (note,))
