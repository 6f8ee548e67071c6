"""What a reader sees on a page is what the text holds, word for word."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.tools.read import markup


def text_of(body: str) -> str:
    tree = markup.parse(f"<html><body>{body}</body></html>")
    assert tree is not None
    return markup.render(tree)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<h1>A</h1><h3>B <i>c</i></h3><p>d</p>", "# A\n\n### B c\n\nd"),
        ("<p>One <b>two</b>, <a href=x>three</a>.</p>", "One two, three."),
        ("<p>ex<wbr>am&shy;ple &amp; H<sub>2</sub>O</p>", "example & H2O"),
        ("<p>a&nbsp;b\n   c</p>", "a b c"),
        ("<p>12 Quay St.<br>North Rock</p>", "12 Quay St.\nNorth Rock"),
        ("loose<p>p</p>tail", "loose\n\np\n\ntail"),
        ("<ul><li>a<li>b<ul><li>c</ul></ul><p>d", "- a\n- b\n  - c\n\nd"),
        ("<ul><li><p>a</p><p>b</p></li></ul>", "- a\n\nb"),
        ("<ol><li>a</ol><ul><li>b</ul>", "- a\n\n- b"),
        (
            "<dl><dt>Built</dt><dd>1911</dd><dt>Crew<dd>nine<dd>ten</dl>",
            "- Built: 1911\n- Crew: nine\n- ten",
        ),
        (
            "<table><caption>T</caption><tr><th>a<th>b<tr><td>1<td></table>",
            "T\n\n| a | b |\n| 1 |  |",
        ),
        ("<table><tr><td>a<ul><li>b<li>c</ul><td>d<br>e</table>", "| a b c | d e |"),
        ("<table><tr><td>a</table><table><tr><td>b</table>", "| a |\n\n| b |"),
        ("<table><tr><td><table><tr><td>in</table><td><p>out</p></table>", "| in |\n\nout"),
        ("<table><tr><td><h2>News</h2><p>a</p><p>b</p></table>", "## News\n\na\n\nb"),
        ("<pre>a  b\n  c</pre><p>d</p>", "a  b\n  c\n\nd"),
        ("<blockquote><p>Never.</p></blockquote>", "Never."),
        ("<figure><img alt=x><figcaption>The ship.</figcaption></figure>", "The ship."),
        ("<!-- no --><p>a<!-- no -->b</p>", "ab"),
        ("<p>x</p><script>a()</script>y<style>b{}</style>z", "x\n\nyz"),
        ("<nav><a>Home</a></nav>after<p hidden>h</p><p aria-hidden=true>i</p>", "after"),
        (
            "<footer><a href=x>Imprint</a></footer><footer>Built by the harbour board.</footer>",
            "Built by the harbour board.",
        ),
        (
            "<aside><h2>Facts</h2><p>132 steps</p></aside><aside><a>More</a> <a>pages</a></aside>",
            "## Facts\n\n132 steps",
        ),
    ],
)
def test_structure_becomes_marks_and_words_stay(body: str, text: str) -> None:
    assert text_of(body) == text


@given(st.lists(st.text(st.characters(categories=["L", "N", "P"]), min_size=1), min_size=1))
def test_every_word_survives_every_nesting(words: list[str]) -> None:
    escaped = [w.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for w in words]
    for before, after in (
        ("<p>", "</p>"),
        ("<ul><li>", "</li></ul>"),
        ("<b>", "</b> "),
        ("<table><tr><td>", "</td></tr></table>"),
        ("<h2>", "</h2>"),
    ):
        text = text_of("".join(before + word + after for word in escaped))
        for word in words:
            assert "".join(word.split()) in "".join(text.split())


def test_the_main_part_is_the_one_that_is_marked() -> None:
    one = markup.parse("<body><div>x</div><main><p>m</p></main></body>")
    assert one is not None and markup.render(markup.main_part(one)) == "m"
    lone = markup.parse("<body><article>a<article>comment</article></article></body>")
    assert lone is not None and markup.render(markup.main_part(lone)) == "a\n\ncomment"
    many = markup.parse("<body><article>a</article><article>b</article></body>")
    assert many is not None and markup.main_part(many) is None


@pytest.mark.parametrize(
    ("html", "title"),
    [
        ("<title> The\n Light </title><h1>No</h1>", "The Light"),
        ("<meta property=og:title content=Og><title></title>", "Og"),
        ("<h1>Only <i>this</i></h1>", "Only this"),
        ("<p>nothing</p>", ""),
        ("<title>Real</title><body><svg><title>icon</title></svg>", "Real"),
    ],
)
def test_the_title_is_what_the_page_calls_itself(html: str, title: str) -> None:
    tree = markup.parse(html)
    assert tree is not None and markup.title_of(tree) == title


@pytest.mark.parametrize(
    "html",
    ["<div>" * 50_000, "<table><tr><td>" * 3_000, "<ul><li>x" * 3_000, "<b>" * 100_000 + "x",
     "<" * 100_000, "<p>word " * 100_000, "<aside>" * 2_000 + "x"],
)  # fmt: skip
def test_a_hostile_page_costs_seconds_at_most(html: str) -> None:
    began = time.process_time()
    tree = markup.parse(html)
    if tree is not None:
        markup.render(tree)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("nothing", ["", "   ", "<!-- -->", "\ufeff"])
def test_nothing_has_no_text(nothing: str) -> None:
    tree = markup.parse(nothing)
    assert tree is None or markup.render(tree) == ""


def test_a_page_with_an_xml_declaration_is_parsed() -> None:
    tree = markup.parse('<?xml version="1.0" encoding="latin-1"?><html><body>né</body></html>')
    assert tree is not None and markup.render(tree) == "né"
