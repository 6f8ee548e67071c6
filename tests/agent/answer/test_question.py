from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.agent.answer.question import asked
from edge_agent.agent.answer.wording import echoes


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Who built the Thrift?", "person"),
        ("By whom was the Thrift built?", "person"),
        ("In the harbour of Mossby, who keeps the light?", "person"),
        ("Can you tell me who built the Thrift?", "person"),
        ("Where was Lena Tarr born?", "place"),
        ("In which city does Lena Tarr live?", "place"),
        ("What is the place of birth of Lena Tarr?", "place"),
        ("When was the station opened?", "date"),
        ("When comparing the two harbours, which town has the deeper one?", "place"),
        ("Where the river ends, who keeps the light?", "person"),
        ("What is the date of birth of Lena Tarr?", "date"),
        ("The smack Thrift was built when?", "date"),
        ("In which year was it built?", "year"),
        ("The mural was painted in what year?", "year"),
        ("How many bells hang in the tower?", "number"),
        ("How tall is the tower?", "number"),
        ("Are Orvel and Mossby in the same county?", "yes_no"),
        ("Was Dr. E. Tarr a painter?", "yes_no"),
        ("When the tower fell, was the bell lost?", "yes_no"),
        ("Which smack carried the bell?", "free"),
        ("What is the name of the mural in Orvel station?", "free"),
        ("Why did the tower fall?", "free"),
        ("Is the Thrift a smack or a brig?", "free"),
        ("Do some research on smacks.", "free"),
        ("Write a report on the harbour of Mossby", "free"),
        ("Lena Tarr and Ode Tarr are both what?", "free"),
        ("", "free"),
    ],
)
def test_the_words_of_a_question_show_its_kind(question: str, kind: str) -> None:
    assert asked(question).kind == kind


@pytest.mark.parametrize(
    ("question", "choices"),
    [
        ("Which is longer, the Thrift or the Gull?", ("the Thrift", "the Gull")),
        ("Who was born first, Lena Tarr or Ode Brand?", ("Lena Tarr", "Ode Brand")),
        ("Who is older Lena Tarr or Ode of Mossby?", ("Lena Tarr", "Ode of Mossby")),
        ("Which is heavier: lead or gold?", ("lead", "gold")),
        (
            "When they meet, which is older - the Thrift or the Gull?",
            ("the Thrift", "the Gull"),
        ),
        ("Between Orvel and Mossby, which has more people?", ("Orvel", "Mossby")),
        ("Did Lena Tarr or Ode Brand die first?", ("Lena Tarr", "Ode Brand")),
        ("Which came out first, “The Gull” or “The Crow” ?", ("The Gull", "The Crow")),
    ],
)
def test_names_that_are_offered_are_the_choices(question: str, choices: tuple[str, ...]) -> None:
    assert asked(question).kind == "choice"
    assert asked(question).choices == choices


@pytest.mark.parametrize(
    "question",
    [
        "Which is longer, the Thrift, the Gull or the Crow?",  # three, or two of which one has “,”
        "Who was the man, an actor or director, that bought it?",
        "Which smack, that was built or bought in Mossby, sank?",
        "In what year was the smack, which Tarr or Brand built, sold?",
        "Are Lena Tarr or Ode Brand American?",
        "Who painted in or around Mossby?",
    ],
)
def test_what_is_not_clearly_offered_is_no_choice(question: str) -> None:
    assert asked(question).choices == ()


def test_what_was_asked_before_does_not_count() -> None:
    text = "And when was it?\n\nThis follows, with the answers:\n- Was it Ane? yes\n- Who? Ane Tarr"
    assert asked(text).kind == "date"
    assert not echoes(text, "Ane Tarr")


@given(st.text())
def test_any_text_has_a_kind(text: str) -> None:
    assert asked(text).kind


@given(st.text(alphabet="aA ,?.or:wich", max_size=60))
def test_choices_stand_in_the_question(text: str) -> None:
    spaced = " ".join(text.split())
    assert all(choice in spaced for choice in asked(text).choices)
