"""Bytes say what they are, also against what a server declares."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.tools.media import charset_of, media_type_of, suffix_type


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
    ("data", "declared", "charset"),
    [
        ("é".encode(), "iso-8859-1", "utf-8"),
        ("é".encode("latin-1"), "utf-8", "cp1252"),
        ("é".encode("latin-1"), "ISO-8859-1", "cp1252"),
        ("ж".encode("koi8-r"), "koi8-r", "koi8-r"),
        ("ж".encode("cp1251"), "nonsense", "cp1252"),
        ('<meta charset="windows-1251">ж'.encode("cp1251"), "", "cp1251"),
        ('<meta http-equiv=x content="text/html; charset=koi8-r">ж'.encode("koi8-r"), "", "koi8-r"),
        ("日本語".encode("shift_jis"), "Shift_JIS", "shift_jis"),
        (b"\xef\xbb\xbfhello", "latin-1", "utf-8-sig"),
        ("é".encode("utf-16"), "", "utf-16"),
        (b"plain", "", "utf-8"),
        (b"plain", "base64", "utf-8"),
    ],
)
def test_the_charset_is_the_one_that_fits(data: bytes, declared: str, charset: str) -> None:
    assert charset_of(data, declared, "text/html") == charset


@given(data=st.binary(), declared=st.text(max_size=12))
def test_every_body_can_be_decoded_with_the_charset_found(data: bytes, declared: str) -> None:
    data.decode(charset_of(data, declared, "text/html"), "replace")
    assert media_type_of(data, "text/html")


@given(st.text())
def test_utf8_text_is_never_mistaken(text: str) -> None:
    data = text.encode()
    if not text.startswith("\ufeff") and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        assert data.decode(charset_of(data, "", "text/plain")) == text


def test_names_promise_a_type() -> None:
    assert suffix_type("a/b.HTML") == "text/html"
    assert suffix_type("a/b.md") == "text/markdown"
    assert suffix_type("a/b.exe") == suffix_type("README") == ""
