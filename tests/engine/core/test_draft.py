from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.engine.core.draft import CANDIDATES, GRAM, LONGEST, MAX_DRAFT, Drafter, Lookup
from edge_agent.engine.core.pace import Pace

from ..fakes import ScriptedPace, drafts_never_pay, drafts_pay

few = st.lists(st.integers(0, 2), max_size=60)


def searched(tokens: list[int], n: int) -> tuple[list[int], int]:
    """What `Lookup.guess` gives, by looking everywhere."""
    last, found = len(tokens), []
    for end in range(last - 1, GRAM - 1, -1):  # the latest first
        matched = 0
        while matched < min(LONGEST, end) and tokens[end - matched - 1] == tokens[-matched - 1]:
            matched += 1
        if matched >= GRAM:
            found.append((matched, end))
    if not found:
        return [], 0
    matched, end = max(found[:CANDIDATES], key=lambda match: match[0])
    return tokens[end : end + n], matched


@settings(max_examples=300)
@given(few, few, st.integers(1, 12))
def test_lookup_finds_what_a_search_of_everything_finds(
    prompt: list[int], more: list[int], n: int
) -> None:
    lookup = Lookup(prompt)
    for token in more:
        lookup.extend([token])
    assert lookup.guess(n) == searched(prompt + more, n)


def test_of_two_places_the_longer_match_is_followed() -> None:
    lookup = Lookup([5, 1, 2, 3, 7, 0, 9, 1, 2, 3, 8, 0, 5, 1, 2, 3])
    assert lookup.guess(2) == ([7, 0], 4)


def test_of_equals_the_latest_place_is_followed() -> None:
    lookup = Lookup([1, 2, 3, 7, 1, 2, 3, 8, 0, 0, 1, 2, 3])
    assert lookup.guess(1) == ([8], 3)


def test_nothing_is_guessed_from_fewer_tokens_than_a_gram() -> None:
    assert Lookup([]).guess(4) == ([], 0)
    assert Lookup([1, 2, 3]).guess(4) == ([], 0)
    assert Lookup([1, 2, 9, 1, 2]).guess(4) == ([], 0)


QUOTE = [*range(100, 140), *range(100, 108)]


@given(few, st.integers(0, 20), st.integers(1, 300), st.sampled_from([0, 1, 2]))
def test_a_draft_is_no_longer_than_allowed(
    tokens: list[int], most: int, beside: int, device: int
) -> None:
    pace = (Pace(), drafts_pay(), drafts_never_pay())[device]
    assert len(Drafter(tokens).draft(most, beside, pace)) <= min(most, MAX_DRAFT)


def test_where_tokens_beside_are_free_as_many_as_there_may_be_are_drafted() -> None:
    assert Drafter(QUOTE).draft(99, 1, drafts_pay()) == list(range(108, 108 + MAX_DRAFT))
    assert Drafter(QUOTE).draft(3, 1, drafts_pay()) == [108, 109, 110]


def test_where_each_token_costs_as_much_as_the_first_none_is_drafted() -> None:
    assert Drafter(QUOTE).draft(99, 1, drafts_never_pay()) == []


def test_beside_a_prompt_a_draft_does_not_pay() -> None:
    measured = Pace()  # on two cores: a step of 65 costs a token more than one of 64
    assert Drafter(QUOTE).draft(99, 1, measured)
    assert Drafter(QUOTE).draft(99, 256, measured) == []


def some_pay() -> ScriptedPace:
    """A step of several tokens costs two single ones."""
    return ScriptedPace(lambda n_tokens: 1.0 if n_tokens == 1 else 1.5 + 0.1 * n_tokens)


def test_drafting_stops_where_guesses_fail_and_begins_where_they_come_true() -> None:
    drafter = Drafter(QUOTE)
    assert drafter.draft(99, 1, some_pay())
    for other in range(200, 230):  # it goes on as never before, each time after the same words
        drafter.wrote([*range(100, 108), other])
        tried = drafter.draft(99, 1, some_pay())
    assert tried == []
    for _ in range(3):  # now it quotes: noticed though nothing was drafted
        drafter.wrote(range(100, 140))
    assert drafter.draft(99, 1, some_pay())


def test_a_long_match_is_trusted_apart_from_a_short_one() -> None:
    drafter = Drafter([*range(100, 140)])
    for other in range(200, 240):  # after three words it never goes on as before
        drafter.wrote([101, 102, 103, other])
    assert drafter.draft(99, 1, some_pay()) == []
    drafter.wrote([101, 102, 103])
    assert drafter.draft(99, 1, some_pay()) == []
    drafter.wrote(range(110, 118))
    assert drafter.draft(99, 1, some_pay())[:2] == [118, 119]
