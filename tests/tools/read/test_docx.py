"""Word documents are read as they are shown, and a hostile one costs nothing."""

from __future__ import annotations

import io
import resource
import time
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.errors import FetchError
from edge_agent.tools.base import Link
from edge_agent.tools.read.docx import MAX_PART_BYTES, read_docx
from edge_agent.tools.read.extract import extract
from edge_agent.tools.read.media import DOCX_TYPE, media_type_of

from .docx import W, docx, p, table

URL = "https://isles.example/report.docx"
BODY = (
    p("The Marrow Light", "Title")
    + p("How it began", "berschrift2")
    + p("The lamp was lit on 4 May 1871 & burned for a year.")
    + p("Dogs travel free", listed=True)
    + p("Cats do not", listed=True)
    + table(["Ship", "Departs"], ["Ostrey", "06:40"])
    + p("The end.")
)


def fails(data: bytes) -> FetchError:
    with pytest.raises(FetchError) as caught:
        read_docx(data, "utf-8", URL)
    return caught.value


def test_headings_lists_and_tables_keep_their_order_and_shape() -> None:
    data = docx(BODY, "A report")
    kind = media_type_of(data, "application/octet-stream")
    found = extract(data, kind, "utf-8", URL)
    assert kind == DOCX_TYPE and found.title == "A report"
    assert found.text == (
        "# The Marrow Light\n\n## How it began\n\n"
        "The lamp was lit on 4 May 1871 & burned for a year.\n\n"
        "- Dogs travel free\n- Cats do not\n\n| Ship | Departs |\n| Ostrey | 06:40 |\n\nThe end."
    )
    assert found.links == (Link("https://isles.example/lamp", ""),)


def test_without_a_title_the_first_heading_stands_in() -> None:
    assert read_docx(docx(BODY), "utf-8", URL).title == "The Marrow Light"
    assert read_docx(docx(p("Words.")), "utf-8", URL).title == "report.docx"


def test_what_was_struck_out_is_gone_and_what_was_put_in_is_there() -> None:
    body = (
        "<w:p><w:r><w:t>It has </w:t></w:r><w:del><w:r><w:delText>99</w:delText><w:t>98</w:t></w:r>"
        "</w:del><w:ins><w:r><w:t>132</w:t></w:r></w:ins><w:r><w:t> steps</w:t><w:br/>"
        "<w:t>and a</w:t><w:tab/><w:t>lamp.</w:t></w:r></w:p>"
    )
    assert read_docx(docx(body), "utf-8", URL).text == "It has 132 steps\nand a lamp."


def test_notes_come_at_the_end() -> None:
    note = f'<w:footnotes xmlns:w="{W}"><w:footnote>{p("A note.")}</w:footnote></w:footnotes>'
    found = read_docx(docx(BODY, more={"word/footnotes.xml": note.encode()}), "utf-8", URL)
    assert found.text.endswith("The end.\n\nA note.")


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = docx("", more={"word/document.xml": b"<w:x>" + b" " * MAX_PART_BYTES + b"</w:x>"})
    assert len(bomb) < 2_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    assert fails(bomb).kind == "too_large"
    assert time.process_time() - began < 5
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * 1024 < 4 * MAX_PART_BYTES


def test_no_entity_is_expanded_and_no_file_is_read() -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 9))
    for entity in (f'<!ENTITY l0 "ha">{laughs}', '<!ENTITY l8 SYSTEM "file:///etc/passwd">'):
        document = (
            f'<!DOCTYPE x [{entity}]><w:document xmlns:w="{W}"><w:body><w:p><w:r><w:t>A&l8;B</w:t>'
            "</w:r></w:p></w:body></w:document>"
        )
        data = docx("", more={"word/document.xml": document.encode()})
        try:
            text = read_docx(data, "utf-8", URL).text
        except FetchError as error:
            assert error.kind == "unsupported"
        else:
            assert "ha" not in text and "root" not in text


def test_what_is_no_document_says_so() -> None:
    assert fails(b"PK\x03\x04 cut").kind == "unsupported"
    assert fails(docx(BODY)[:-30]).kind == "unsupported"
    assert "damaged" in str(fails(docx(BODY, more={"word/document.xml": b"<oops"})))
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    assert fails(empty.getvalue()).kind == "unsupported"


def test_a_document_of_pictures_is_empty() -> None:
    with pytest.raises(FetchError) as caught:
        extract(docx("<w:p><w:r/></w:p>"), DOCX_TYPE, "utf-8", URL)
    assert caught.value.kind == "empty"


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, 3_000), junk=st.binary(min_size=1, max_size=40))
def test_no_damage_at_all_trips_the_reader(at: int, junk: bytes) -> None:
    data = docx(BODY, "T")
    broken = data[:at] + junk + data[at + len(junk) :]
    try:
        read_docx(broken, "utf-8", URL)
    except FetchError as error:
        assert error.kind in ("unsupported", "too_large")
