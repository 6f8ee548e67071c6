"""Bytes say what they are, also against what a server declares."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.tools.read.media import DOCX_TYPE, media_type_of, name_of_type, suffix_type


@pytest.mark.parametrize(
    ("data", "declared", "kind"),
    [
        (b"<!DOCTYPE html><p>x", "", "text/html"),
        (b"\n<!-- hello --> <html lang=en>", "text/plain", "text/html"),
        (b"see <html> for more", "text/plain", "text/plain"),
        (b"%PDF-1.7 ...", "text/html", "application/pdf"),
        (b"%PDF-1.7 ...", "application/octet-stream", "application/pdf"),
        (b"\x89PNG\r\n", "text/html", "image/png"),
        (
            b"PK\x03\x04",
            "application/vnd.oasis.opendocument.text",
            "application/vnd.oasis.opendocument.text",
        ),
        (b"words\0words", "text/plain", "application/octet-stream"),
        (b"words\0words", "text/html", "application/octet-stream"),
        ("wörds".encode("utf-16"), "text/plain", "text/plain"),
        (b'{"a": 1}', "application/json", "application/json"),
        (b"plain words", "", "text/plain"),
    ],
)
def test_the_bytes_overrule_a_wrong_declaration(data: bytes, declared: str, kind: str) -> None:
    assert media_type_of(data, declared) == kind


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://a.example/b/notes.md", "text/markdown"),
        ("https://a.example/table.CSV?x=1", "text/csv"),
        ("https://a.example/readme.txt", "text/plain"),
        ("https://a.example/page.html", "text/plain"),
    ],
)
def test_a_name_says_what_a_declaration_left_open(url: str, kind: str) -> None:
    assert media_type_of(b"# Words, and, more", "text/plain", url) == kind


def archive(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        for name in names:
            out.writestr(name, "x" * 50_000)
    return packed.getvalue()


def test_an_archive_is_known_by_its_members() -> None:
    assert media_type_of(archive("a.txt", "word/document.xml"), "") == DOCX_TYPE
    assert media_type_of(archive("xl/workbook.xml"), "").endswith("spreadsheetml.sheet")
    assert media_type_of(archive("a.txt"), "text/html") == "application/zip"


def test_a_type_has_a_name_for_people() -> None:
    assert name_of_type("image/webp") == "a picture (image/webp)"
    assert name_of_type("application/zip") == "a ZIP archive (application/zip)"
    assert name_of_type("application/x-odd") == "application/x-odd"


def test_a_pdf_may_begin_with_a_line_of_its_server() -> None:
    assert (
        media_type_of(b"\n\nnoise\n%PDF-1.7 ...", "application/octet-stream") == "application/pdf"
    )


@given(data=st.binary())
def test_every_body_has_a_type(data: bytes) -> None:
    assert media_type_of(data, "text/html")


def test_names_promise_a_type() -> None:
    assert suffix_type("a/b.HTML") == "text/html"
    assert suffix_type("a/b.md") == "text/markdown"
    assert suffix_type("a/b.exe") == suffix_type("README") == ""
