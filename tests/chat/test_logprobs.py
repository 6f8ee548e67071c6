from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.chat.detokenizer import Detokenizer
from edge_agent.chat.logprobs import Tape, spelled
from edge_agent.chat.messages import TokenLogprob
from edge_agent.engine.params import TokenLogprobs

from .fakes import FakeVocab


def taped(text: str, sizes: list[int]) -> tuple[Tape, list[TokenLogprob]]:
    """A tape of the text's bytes, cut into tokens of these sizes again and again."""
    tape, characters = Tape(), Detokenizer()
    tokens: list[TokenLogprob] = []
    data = text.encode()
    while data:
        size = sizes[len(tokens) % len(sizes)]
        token = TokenLogprob(data[:size], -1.0)
        tape.add(token, len(characters.feed(data[:size])), characters.inside)
        tokens.append(token)
        data = data[size:]
    return tape, tokens


SIZES = st.lists(st.integers(1, 5), min_size=1, max_size=6)


@given(st.text(min_size=1), SIZES, SIZES)
def test_every_token_is_taken_once_whatever_the_pieces(
    text: str, sizes: list[int], pieces: list[int]
) -> None:
    tape, tokens = taped(text, sizes)
    taken: list[TokenLogprob] = []
    at = turn = 0
    while at < len(text):
        end = min(len(text), at + pieces[turn % len(pieces)])
        taken += tape.take(at, end)
        at, turn = end, turn + 1
    assert taken == tokens


@given(st.text(min_size=1), SIZES, st.data())
def test_what_is_passed_over_is_not_told(text: str, sizes: list[int], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    tape, _ = taped(text, sizes)
    told = b"".join(token.bytes for token in tape.take(start, end))
    assert text[start:end].encode() in told
    longest = max(sizes) - 1
    assert len(told) <= len(text[start:end].encode()) + 2 * longest + 6  # parts of characters


def test_half_a_character_comes_with_its_other_half() -> None:
    tape, tokens = taped("é!", [1])
    assert tape.take(0, 1) == tuple(tokens[:2])
    assert tape.take(1, 2) == (tokens[2],)


def test_a_token_that_is_not_told_keeps_the_places_of_the_others() -> None:
    tape, last = Tape(), TokenLogprob(b"c", -1.0)
    tape.add(None, 2)
    tape.add(last, 1)
    assert (tape.take(0, 2), tape.take(2, 3)) == ((), (last,))


def test_ids_become_the_bytes_they_add() -> None:
    given = TokenLogprobs(65, -0.5, ((65, -0.5), (0xC3, -2.0)))
    told = TokenLogprob(b"A", -0.5, (TokenLogprob(b"A", -0.5), TokenLogprob(b"\xc3", -2.0)))
    assert spelled(given, FakeVocab().piece) == told
