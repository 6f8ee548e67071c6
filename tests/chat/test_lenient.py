from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.chat import lenient

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON)
def test_json_is_read_as_json(value: Any) -> None:
    assert lenient.loads(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1,}', {"a": 1}),
        ("{'a': 'it''s'}", {"a": "it''s"}),
        ('{"a": "say "hi" now", "b": 1}', {"a": 'say "hi" now', "b": 1}),
        ("{{'a': {{'b': [1, 2,]}}}}", {"a": {"b": [1, 2]}}),
        ("{a: True, b: None}", {"a": True, "b": None}),
        ('{"a": "x\ny"}', {"a": "x\ny"}),
        ('{"a": ["b", "c', {"a": ["b", "c"]}),
        ('{"a": 1 "b": 2}', {"a": 1, "b": 2}),
        ('{"a": "\\u00e9\\q"', {"a": "éq"}),
    ],
)
def test_what_models_get_wrong_is_forgiven(text: str, value: object) -> None:
    assert lenient.loads(text) == value


@pytest.mark.parametrize("text", ["", "{", "nothing here", '{"a": 1} and more', "[" * 100, "{:}"])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        lenient.loads(text, complete=True)


@given(st.text(alphabet="{}[]\"':,\\ a1\n", max_size=60), st.booleans())
def test_any_text_is_read_or_refused_and_never_hangs(text: str, complete: bool) -> None:
    try:
        lenient.loads(text, complete)
    except ValueError as error:
        assert str(error)
