from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.agent.answer.spans import dates, fullest, moment, numbers, years


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Built on 5 May 1871 in Mossby.", ["5 May 1871"]),
        ("Built on May 5, 1871, in Mossby.", ["May 5, 1871"]),
        ("It lasted from March 1914 to 1918.", ["March 1914", "1918"]),
        ("In the late 1870s, on 2021-03-04.", ["late 1870s", "2021-03-04"]),
        ("A tower of the 12th century, fallen in 44 BC.", ["12th century", "44 BC"]),
        ("It cost $1900 and weighs 1871.5 kilograms.", []),
        ("They may march on.", []),
    ],
)
def test_dates_are_found_as_they_stand(text: str, found: list[str]) -> None:
    assert dates(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It weighs 210 kilograms.", ["210", "210 kilograms"]),
        ("It weighs 210kg, or 3,000 in all.", ["210", "210kg", "3,000", "3,000 in"]),
        ("Twenty-one boats and 2.5 million nets", ["Twenty-one", "Twenty-one boats"]),
        ("On 5 May 1871 it had 12%.", ["12%"]),
        ("someone attended often", []),
    ],
)
def test_numbers_are_found_with_the_word_behind_them(text: str, found: list[str]) -> None:
    assert numbers(text)[: len(found)] == found
    assert bool(numbers(text)) == bool(found)


def test_years_inside_dates_are_years() -> None:
    assert years("From 5 May 1871 to 1902, 1871.5 metres, 18711 days") == ["1871", "1902"]


TEXTS = st.text(st.sampled_from("0123456789 ,.-$%maybdJunethousiv£\n"), max_size=80)


@given(TEXTS)
def test_every_span_stands_in_the_text(text: str) -> None:
    assert all(span in text for span in [*dates(text), *numbers(text), *years(text)])


@pytest.mark.parametrize(
    ("date", "when"),
    [
        ("5 May 1871", (1871, 5, 5)),
        ("May 25, 1871", (1871, 5, 25)),
        ("March 1914", (1914, 3, 0)),
        ("2021-03-04", (2021, 3, 4)),
        ("1902", (1902, 0, 0)),
        ("12th century", None),
    ],
)
def test_dates_can_be_compared(date: str, when: tuple[int, int, int] | None) -> None:
    assert moment(date) == when


@pytest.mark.parametrize(
    ("date", "text", "full"),
    [
        ("1894", "He died on 4 June 1894 in Leipzig.", "4 June 1894"),
        ("June 1894", "He died on June 4, 1894.", "June 4, 1894"),
        ("1894", "Born on 3 May 1817, he died in 1894.", "1894"),
        ("1894", "From 4 June 1894 to 9 July 1894.", "1894"),  # which of the two is not said
        ("4 June 1894", "On 5 June 1894.", "4 June 1894"),
        ("not found", "On 5 June 1894.", "not found"),
    ],
)
def test_a_date_is_told_as_exactly_as_the_text_has_it(date: str, text: str, full: str) -> None:
    assert fullest(date, [text]) == full
