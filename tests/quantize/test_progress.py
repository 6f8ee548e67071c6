from __future__ import annotations

from io import StringIO

from quantize.progress import Line, line_of


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_shows_the_share() -> None:
    assert line_of("convert", 1, 4) == "convert [######                  ]  25%"
    assert line_of("convert", 0, 0).endswith("100%")


def test_it_is_drawn_seldom_and_leaves_nothing() -> None:
    terminal, times = Terminal(), iter([0.0, 0.01, 0.02, 5.0, 6.0])
    line = Line(terminal, lambda: next(times))
    for done in range(5):
        line("work", done, 4)
    drawn = terminal.getvalue().split("\r")
    assert [text[-4:] for text in drawn if "%" in text] == ["  0%", " 75%", "100%"]
    assert drawn[-2].strip() == drawn[-1] == ""


def test_a_file_gets_nothing() -> None:
    file = StringIO()
    Line(file)("work", 1, 2)
    assert file.getvalue() == ""
