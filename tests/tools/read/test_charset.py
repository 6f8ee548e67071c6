"""The characters of a document are those it was written in, whatever was declared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.tools.read.charset import charset_of

WRITTEN = {
    "cp1251": "Маяк был зажжён в мае 1871 года смотрителем острова.",
    "koi8_r": "Маяк был зажжён в мае 1871 года смотрителем острова.",
    "shift_jis": "灯台は1871年5月に初めて点灯されました。北の岩の上に立っています。",
    "euc_jp": "灯台は1871年5月に初めて点灯されました。北の岩の上に立っています。",
    "gb18030": "灯塔于1871年5月首次点亮，矗立在北岩之上，共有一百三十二级台阶。",
    "big5": "燈塔於1871年5月首次點亮，矗立在北岩之上，共有一百三十二級台階。",
    "euc_kr": "등대는 1871년 5월에 처음으로 불을 밝혔습니다. 북쪽 바위 위에 서 있습니다.",
    "cp1253": "Ο φάρος άναψε για πρώτη φορά τον Μάιο του 1871 στο βόρειο βράχο.",
    "cp1252": "Le phare a été allumé en mai 1871 par la gardienne de l’île, à côté du rocher.",
    "cp1255": "המגדלור הודלק לראשונה במאי 1871 על ידי שומרת האי.",
    "cp1256": "أضيئت المنارة لأول مرة في مايو 1871 من قبل حارسة الجزيرة.",
}
LANGUAGES = {
    "cs": ("cp1250", "Maják byl poprvé rozsvícen v květnu 1871 strážkyní ostrova, která tam žila."),
    "hu": ("cp1250", "A világítótornyot 1871 májusában gyújtotta meg a sziget őrzője."),
    "tr": (
        "cp1254",
        "Deniz feneri Mayıs 1871'de ada bekçisi tarafından yakıldı; yüz basamağı vardır.",
    ),
    "de": ("cp1252", "Der Leuchtturm wurde im Mai 1871 angezündet und grüßt die Schiffe über Öl."),
}


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


@pytest.mark.parametrize("charset", WRITTEN)
@pytest.mark.parametrize("frame", ["{}", "<html><body><p class='a b'>{}</p></body></html>"])
def test_an_alphabet_is_known_without_any_declaration(charset: str, frame: str) -> None:
    text = frame.format(WRITTEN[charset])
    data = text.encode(charset)
    assert data.decode(charset_of(data, "", "text/html")) == text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_language_of_a_page_tells_latin_alphabets_apart(language: str) -> None:
    charset, words = LANGUAGES[language]
    text = f"<html lang='{language}'><body><p>{words}</p></body></html>"
    assert text.encode(charset).decode(charset_of(text.encode(charset), "", "text/html")) == text


def test_xml_says_its_encoding_in_its_first_line() -> None:
    data = '<?xml version="1.0" encoding="windows-1251"?><a>ж</a>'.encode("cp1251")
    assert charset_of(data, "", "application/xml") == "cp1251"


def test_what_is_not_utf8_is_not_believed_to_be() -> None:
    data = f"<meta charset=utf-8><p>{WRITTEN['cp1251']}</p>".encode("cp1251")
    assert charset_of(data, "utf-8", "text/html") == "cp1251"


@given(data=st.binary(), declared=st.text(max_size=12))
def test_every_body_can_be_decoded_with_the_charset_found(data: bytes, declared: str) -> None:
    data.decode(charset_of(data, declared, "text/html"), "replace")


@given(st.text())
def test_utf8_text_is_never_mistaken(text: str) -> None:
    data = text.encode()
    if not text.startswith("\ufeff") and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        assert data.decode(charset_of(data, "", "text/plain")) == text
