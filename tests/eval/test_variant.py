"""Profiles with fields changed."""

from __future__ import annotations

import pytest

from edge_agent.agent.explore.profile import profile
from edge_agent.errors import RequestError
from edge_agent.eval.variant import varied

PLAIN = profile("plain")


def test_fields_and_fields_of_fields_are_changed_and_the_rest_is_not() -> None:
    made = varied(PLAIN, ["reads=77", "checks=false", "notes.ranked=400", "system=research"])
    assert (made.reads, made.checks, made.system) == (77, False, "research")
    assert made.notes.ranked == 400 and made.notes.noted == PLAIN.notes.noted
    assert made.turn_tokens == PLAIN.turn_tokens
    assert varied(PLAIN, []) == PLAIN


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("reads", "takes FIELD=VALUE"),
        ("red=5", "there is no field 'red'; there is: name, dialect"),
        ("reads.more=5", "there is no field 'more'"),
        ("notes=5", "name one of them after a dot"),
        ("reads=five", r"holds int, such as \d"),
        ("checks=1", "holds bool"),
    ],
)
def test_a_change_that_cannot_be_made_is_one_sentence(change: str, sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        varied(PLAIN, [change])
