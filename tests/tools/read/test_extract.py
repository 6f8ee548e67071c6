"""Documents become text in which every sentence can be quoted."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import FetchError
from edge_agent.tools.read.document import Extracted
from edge_agent.tools.read.extract import extract
from edge_agent.tools.read.pdf import rejoined
from tests.tools.fakes import ARTICLE, pdf

URL = "https://isles.example/docs/light.bin"
SENTENCES = (
    "The Marrow Light was lit on 4 May 1871.",
    "Its keeper, Ilse Varn, stayed for thirty-one years.",
    "“Never,” she wrote, “did the lamp go out.”",
    "The tower costs 1,250 crowns a year – before repairs.",
)


def html(source: str) -> Extracted:
    return extract(source.encode(), "text/html", "utf-8", URL)


def fails(data: bytes, media_type: str) -> FetchError:
    with pytest.raises(FetchError) as caught:
        extract(data, media_type, "utf-8", URL)
    assert str(caught.value).endswith(".") and caught.value.url == URL
    return caught.value


PLACES = {
    "main": "<body><nav><a>Home</a></nav><main>{}</main><footer>F</footer></body>",
    "article": "<body><div class=menu><a>Home</a></div><article>{}</article></body>",
    "divs": "<body><div id=menu><a href=/>Home</a></div><div id=content>{}</div></body>",
    "layout table": "<body><table><tr><td><a>Home</a><td><h2>x</h2>{}</table></body>",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "shape", ["<p>{}</p>", "<p><b>{}</b></p>", "<div>{}</div>", "<ul><li>{}</li></ul>",
              "<dl><dt>Note</dt><dd>{}</dd></dl>", "<table><tr><td>{}<td>1871</table>",
              "<section><h2>About</h2><p>{}</p></section>", "<blockquote>{}</blockquote>",
              "<details><summary>More</summary>{}</details>"],
)  # fmt: skip
def test_every_sentence_survives_wherever_it_stands(place: str, shape: str) -> None:
    content = "<h1>The light</h1>" + "".join(shape.format(s) for s in SENTENCES)
    text = html(f"<html><head><title>T</title></head>{PLACES[place].format(content)}</html>").text
    for sentence in SENTENCES:
        assert sentence in text


def test_navigation_and_footers_are_left_out() -> None:
    found = html(ARTICLE)
    assert found.title == "The Marrow Light"
    assert found.text == (
        "# The Marrow Light\n\nThe Marrow Light was lit on 4 May 1871 by Ilse Varn.\n\n"
        "It stands on North Rock and has 132 steps."
    )


def test_a_page_without_marks_is_read_by_trafilatura_without_its_menus() -> None:
    paragraphs = "".join(f"<p>{s} {s} {s}</p>" for s in SENTENCES)
    menu = "".join(f'<li><a href="/{n}">Entry number {n}</a></li>' for n in range(20))
    found = html(
        f'<html><body><div class="menu"><ul>{menu}</ul></div><div class="post-content">'
        f"<h1>Light</h1>{paragraphs}</div><div class=footer>All rights reserved</div></body></html>"
    )
    assert all(sentence in found.text for sentence in SENTENCES)
    assert "Entry number" not in found.text


def test_tables_headings_and_lists_keep_their_shape() -> None:
    found = html(
        "<body><main><h1>Ferry</h1><h2>Winter</h2><table><tr><th>Ship<th>Departs"
        "<tr><td>Ostrey<td>06:40</table><ul><li>Dogs travel free</ul></main></body>"
    )
    assert found.text == (
        "# Ferry\n\n## Winter\n\n| Ship | Departs |\n| Ostrey | 06:40 |\n\n- Dogs travel free"
    )


def test_a_main_part_that_is_filled_by_a_script_does_not_hide_the_rest() -> None:
    assert "Plain words." in html("<body><main></main><p>Plain words.</p></body>").text


@pytest.mark.parametrize("depth", [300, 3_000, 30_000])
def test_words_in_a_deep_nest_are_read(depth: int) -> None:
    assert html("<div>" * depth + "<p>Words at the bottom.</p>").text == "Words at the bottom."


def test_a_page_of_many_links_costs_no_more_than_others() -> None:
    began = time.process_time()
    found = html("<p>Some words.</p>" + "<a href=x>y</a> " * 100_000)
    assert time.process_time() - began < 10 and len(found.links) == 1


def test_a_loud_page_keeps_its_article_and_leaves_the_teasers() -> None:
    teaser = "<div class='teaser'><a href='/t{0}'>Teaser number {0} of another story</a></div>"
    sentence = "<p>The keeper wrote in year {} that the lamp burned well.</p>"
    sentences = "".join(sentence.format(n) for n in range(30))
    before = "".join(teaser.format(n) for n in range(40))
    behind = "".join(teaser.format(n) for n in range(40, 90))
    found = html(
        f"<html><body><div class='header'>{before}</div><div class='article-body'><h1>The lamp"
        f"</h1>{sentences}</div><div class='related'>{behind}</div></body></html>"
    )
    assert "in year 29 that" in found.text and "Teaser" not in found.text


def test_a_table_that_is_the_page_is_kept() -> None:
    row = "<tr><td>Ship number {0}<td>{0}:40<td>North quay of the harbour"
    rows = "".join(row.format(n) for n in range(99))
    found = html(f"<body><h1>Ferries</h1><div class='list'><table>{rows}</table></div></body>")
    assert "| Ship number 98 | 98:40 | North quay of the harbour |" in found.text


def test_a_page_without_words_is_empty() -> None:
    assert fails(b"<html><body><script>draw()</script></body></html>", "text/html").kind == "empty"
    assert fails(b"<!-- -->", "text/html").kind == "empty"


def test_a_huge_page_is_read_to_its_limit_and_says_so() -> None:
    began = time.process_time()
    found = html("<body><main>" + "<p>The same words again.</p>" * 300_000 + "</main></body>")
    assert time.process_time() - began < 20
    assert "The document goes on: only the first 4,000,000 characters were read." in found.text


@given(st.binary(max_size=400))
def test_no_bytes_at_all_trip_the_extractor(data: bytes) -> None:
    for kind in ("text/html", "application/pdf", "text/csv", "application/json", "text/markdown"):
        try:
            assert extract(data, kind, "utf-8", URL).text.strip()
        except FetchError as error:
            assert error.kind in ("empty", "unsupported")


@pytest.mark.parametrize("kind", ["image/png", "application/zip", "video/mp4", ""])
def test_other_types_are_refused_by_name(kind: str) -> None:
    error = fails(b"...", kind)
    assert error.kind == "unsupported" and kind in str(error)


def test_a_pdf_is_read_page_by_page() -> None:
    found = extract(
        pdf(["Harbour rules", "No fires on the quay."], [], ["Boats keep left."], title="Rules"),
        "application/pdf", "utf-8", URL,
    )  # fmt: skip
    assert found.title == "Rules"
    assert found.text == (
        "## Page 1\n\nHarbour rules\nNo fires on the quay.\n\n## Page 3\n\nBoats keep left."
    )


def test_a_pdf_sentence_that_runs_over_lines_is_one_sentence() -> None:
    lines = [
        "The keeper of the Marrow Light is chosen by the harbour",
        "board every seven years.",
        "Her pay is 340 crowns a month.",
    ]
    assert rejoined("\n".join(lines)) == " ".join(lines[:2]) + "\n" + lines[2]
    assert rejoined("the har-\nbour is open now") == "the har-\nbour is open now"
    assert rejoined("boats that enter the har-\nbour keep left.") == (
        "boats that enter the harbour keep left."
    )


def test_a_pdf_of_pictures_and_a_damaged_one_say_so() -> None:
    assert fails(pdf([], []), "application/pdf").kind == "empty"
    assert "pictures only (2 pages)" in str(fails(pdf([], []), "application/pdf"))
    assert fails(b"%PDF-1.4 cut", "application/pdf").kind == "unsupported"


def test_text_formats_keep_their_words_and_find_a_title() -> None:
    def of(data: bytes, kind: str) -> Extracted:
        return extract(data, kind, "utf-8", URL)

    assert of(b"intro\n\n# The light #\n\nText.", "text/markdown") == Extracted(
        "The light", "intro\n\n# The light #\n\nText."
    )
    assert of(b"Just words.\r\nMore.", "text/plain") == Extracted("light.bin", "Just words.\nMore.")
    assert of(b'Ship,"Departs, daily"\n\nOstrey,06:40\n', "text/csv").text == (
        "| Ship | Departs, daily |\n| Ostrey | 06:40 |"
    )
    assert of('{"title": "Vårn", "n": [1]}'.encode(), "application/json").title == "Vårn"
    assert '"n": [\n  1\n ]' in of(b'{"n": [1]}', "application/json").text
    assert of(b"{not json", "application/json").text == "{not json"
    assert of(b"a = 1", "text/x-python").text == "a = 1"
