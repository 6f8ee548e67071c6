"""Where texts stand in token ids."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.chat.locate import located
from edge_agent.chat.vocab import Vocab

LINES = st.lists(
    st.text("abc 12.é[]", min_size=1, max_size=12).map(str.strip).filter(bool),
    min_size=1,
    max_size=5,
    unique=True,
)


@given(st.data(), LINES)
def test_a_span_holds_its_text_however_the_bytes_are_cut_into_tokens(
    data: st.DataObject, lines: list[str]
) -> None:
    lines = [f"<{i}{line}>" for i, line in enumerate(lines)]  # none is part of another
    whole = ("\n".join(["Begin:", *lines]) + "\nEnd").encode()
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1))))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    for line, place in zip(lines, located(pieces, lines, since=7), strict=True):
        if place is not None:
            held = b"".join(pieces[place[0] - 7 : place[1] - 7])
            assert held.rstrip(b"\n") in line.encode()
    by_byte = located([bytes([b]) for b in whole], lines)
    for line, place in zip(lines, by_byte, strict=True):
        assert place is not None
        assert whole[slice(*place)].decode() == line + "\n"


def test_texts_are_looked_for_one_behind_the_other() -> None:
    pieces = [b"a ", b"b ", b"a ", b"c"]
    assert located(pieces, ["a", "a", "b", "c"]) == ((0, 1), (2, 3), None, (3, 4))
    assert located(pieces, [" ", "z"]) == (None, None)
    assert located([], ["a"]) == (None,)


def test_a_token_that_holds_more_than_the_text_is_not_of_it() -> None:
    assert located([b"x[1", b"] one", b".\n", b"[2]"], ["[1] one."]) == ((1, 3),)
    assert located([b"[1] one", b".)", b"\n"], ["[1] one."]) == ((0, 1),)
    assert located([b"only"], ["nl"]) == (None,)


def test_lines_cut_out_of_a_real_tokenisation_leave_the_other_lines_whole(
    smollm2_path: Path, qwen_path: Path
) -> None:
    lines = [f"[{i}] The bell no. {i} weighs {i * 70} kg, it is said." for i in range(1, 9)]
    for path in (smollm2_path, qwen_path):
        vocab = Vocab.load(path)
        ids = vocab.encode("\n".join(["From “Bell”:", *lines, "", "More?"]))
        places = located([vocab.piece(i) for i in ids], lines)
        for at in (5, 2):
            start, stop = places[at] or (0, 0)
            ids = ids[:start] + ids[stop:]
        left = [line for i, line in enumerate(lines) if i not in (5, 2)]
        text = b"".join(map(vocab.piece, ids)).decode()
        assert text == "\n".join(["From “Bell”:", *left, "", "More?"])
