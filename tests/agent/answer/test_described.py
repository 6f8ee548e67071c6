"""What a question describes without naming it."""

from __future__ import annotations

import time

import pytest

from edge_agent.agent.answer.described import described


@pytest.mark.parametrize(
    ("question", "asks", "left"),
    [
        (
            "Where was the director of the film Glass Harbour born?",
            "Who is the director of the film Glass Harbour?",
            "Where was NAME born?",
        ),
        (
            "What is the place of birth of the composer of song The Long Way (Mara Voss Song)?",
            "Who is the composer of song The Long Way (Mara Voss Song)?",
            "What is the place of birth of NAME?",
        ),
        (
            "Where did the painter of Night over Orvel die?",
            "Who is the painter of Night over Orvel?",
            "Where did NAME die?",
        ),
        (
            "What nationality is Lena Tarr's husband?",
            "Who is Lena Tarr's husband?",
            "What nationality is NAME?",
        ),
        (
            "Why did Ode Brand's father resign?",
            "Who is Ode Brand's father?",
            "Why did NAME resign?",
        ),
        (
            "When did the city where Orvel Station is located join the union?",
            "What is the city where Orvel Station is located?",
            "When did NAME join the union?",
        ),
        (
            "When was the country where the city where Lena Tarr was born is located founded?",
            "What is the city where Lena Tarr was born?",
            "When was the country where NAME is located founded?",
        ),
        (
            "In what year was the journalist who hosted Morning Tide born?",
            "Who is the journalist who hosted Morning Tide?",
            "In what year was NAME born?",
        ),
        (
            "Where did the singer of River (Mara Voss song) die?",
            "Who is the singer of River (Mara Voss song)?",
            "Where did NAME die?",
        ),
        (
            "Where did the painter of M. K. Brand Jr. in Grey die?",
            "Who is the painter of M. K. Brand Jr. in Grey?",
            "Where did NAME die?",
        ),
        (
            "Who is the mother of the man that Ode Brand fought?",
            "Who is the man that Ode Brand fought?",
            "Who is the mother of NAME?",
        ),
        (
            "When was the country that built Orvel Station taken by the Tesk?",
            "What is the country that built Orvel Station?",
            "When was NAME taken by the Tesk?",
        ),
        (
            "When was the band that was named after Lena Tarr formed in Orvel?",
            "What is the band that was named after Lena Tarr?",
            "When was NAME formed in Orvel?",
        ),
        (
            "Which party rules Ode Brand's country of origin?",
            "What is Ode Brand's country of origin?",
            "Which party rules NAME?",
        ),
        (
            "How many people live on the river which the Tesk flows into?",
            "What is the river which the Tesk flows into?",
            "How many people live on NAME?",
        ),
    ],
)
def test_the_innermost_description_is_asked_by_itself(question: str, asks: str, left: str) -> None:
    found = described(question)
    assert found is not None
    assert found.asks == asks
    assert found.put(question, "NAME") == left


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("Where was the director of the film Glass Harbour born?", "Glass Harbour"),
        ("What nationality is Lena Tarr’s husband?", "Lena Tarr"),
        ("When did the city where Orvel Station is located join the union?", "Orvel Station"),
        ("Where did the singer of River (Mara Voss song) die?", "River"),
        ("When was the country that passed the Act of 1869 founded?", "Act of 1869"),
        ("Why did M. K. Brand Jr.'s father resign?", "M. K. Brand Jr."),
        ('Where was the director of "Glass Harbour" born?', "Glass Harbour"),
        ("Where was the director of 1917 born?", "1917"),
        ("Where was the world champion of 1995 born?", "1995"),
    ],
)
def test_a_description_tells_the_name_it_describes_by(question: str, name: str) -> None:
    found = described(question)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "question",
    [
        "Who is the wife of Ode Brand?",
        "When does the boat leave in the winter timetable of 2025/26?",
        "Who directed the film Glass Harbour?",
        "When was Lena Tarr born?",
        "Who is the child of M. K. Brand?",
        "What is the place of birth of Lena Tarr?",
        "What is the population of the island of Orvel?",
        "How many people live in the town of Tesk?",
        "Who wrote the lyrics of Glass Harbour?",
        "Which of the founders of Orvel Academy painted?",  # many are described, not one
        "What position did a player of Orvel United play?",
        "Was the director of Glass Harbour born in Tesk?",  # yes or no
        "Glass Harbour is a film by the director of Night Ferry.",
        "Where was the winner of the Golden Shoe award born?",  # where does its name end?
        "",
        "?",
        "the of the of the of",
    ],
)
def test_a_question_that_describes_nothing_is_left_alone(question: str) -> None:
    assert described(question) is None


def test_one_description_after_the_other_leaves_a_question_with_names_only() -> None:
    question = "What is the capital of the country where the mouth of the Tesk is located?"
    asked = []
    for name in ("Orvel Bay", "Voss"):
        found = described(question)
        assert found is not None
        asked.append(found.asks)
        question = found.put(question, name)
    assert asked == [
        "What is the mouth of the Tesk?",
        "What is the country where Orvel Bay is located?",
    ]
    assert question == "What is the capital of Voss?"
    assert described(question) is None


@pytest.mark.parametrize("piece", ["the man where Aa is ", "Aa of ", "the man of ", "A's b ", "("])
def test_a_text_of_any_length_is_quickly_done_with(piece: str) -> None:
    for n in (20, 40, 100_000):
        question = f"{piece * n}. Where was the director of Glass Harbour born?"
        began = time.process_time()
        described(question)
        assert time.process_time() - began < 1
