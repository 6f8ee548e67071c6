from __future__ import annotations

import json
from typing import Any

import pytest

from edge_agent.tools.mcp.values import readable


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        ({"lamp": 7}, ["lamp: 7"]),
        ({"shop": {"open": True, "till": None}}, ["shop > open: true", "shop > till: null"]),
        ({"sizes": [1, 2], "none": []}, ["sizes: 1, 2", "none: "]),
        (
            {"hits": [{"title": "The\n lamp", "url": "https://h/1"}, {"title": "Bell"}]},
            ["hits 1: title: The lamp; url: https://h/1", "hits 2: title: Bell"],
        ),
        ([{"a": {"b": 1}}, "x"], ["1 > a > b: 1", "2: x"]),
        ([1, "two"], ["1, two"]),
    ],
)
def test_every_value_has_a_line(value: Any, lines: list[str]) -> None:
    assert readable(json.dumps(value)).splitlines() == lines


@pytest.mark.parametrize("text", ["The lamp.", "{not json", "[1] The lamp hangs.", "", "{}", "7"])
def test_what_is_no_object_stays_as_it_is(text: str) -> None:
    assert readable(text) == text


def test_json_that_is_too_deep_stays_as_it_is() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    assert readable(deep) == deep
