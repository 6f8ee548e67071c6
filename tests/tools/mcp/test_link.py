from __future__ import annotations

from edge_agent.tools.mcp.link import MOST_CHARS, result_page, text_of

from .fakes import PRICE


def test_blocks_become_text_and_what_is_none_is_named() -> None:
    text = text_of(
        [
            {"type": "text", "text": "A lamp."},
            {"type": "image", "data": "A" * 400, "mimeType": "image/png"},
            {"type": "resource", "resource": {"uri": "shop://1", "text": "In stock."}},
            {"type": "resource", "resource": {"uri": "shop://2", "mimeType": "audio/ogg"}},
            {"type": "resource_link", "uri": "https://h/lamp", "name": "The lamp"},
        ]
    )
    assert text.split("\n\n") == [
        "A lamp.",
        "(image/png, 300 bytes: left out, only text is read here)",
        "shop://1\nIn stock.",
        "(audio/ogg at shop://2: left out)",
        "The lamp (https://h/lamp)",
    ]


def test_a_value_is_shown_where_there_is_no_text() -> None:
    assert text_of([], {"lamp": 7}) == '{\n "lamp": 7\n}'
    assert text_of([{"type": "text", "text": "7"}], {"lamp": 7}) == "7"
    assert text_of([]) == ""


def test_the_page_of_a_call_is_bounded() -> None:
    page = result_page("shop", PRICE, {"article": "x" * 10_000, "n": {"a": 1}}, "y" * 500_000)
    assert len(page.url) < 600 and len(page.title) <= 200
    assert len(page.text) < MOST_CHARS + 100 and page.text.endswith("was left out.)")
