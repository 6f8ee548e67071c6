from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.vocab import Vocab
from edge_agent.errors import ConfigError, RequestError

from .fakes import FakeVocab

ASKED = ({"role": "user", "content": "<b>é & 'x'</b>"},)


def render(source: str, **variables: object) -> str:
    template = ChatTemplate(source, "<s>", "</s>", lambda: datetime(2024, 5, 6))
    return template.render(ASKED, (), variables)


def test_helpers_that_templates_expect_are_there() -> None:
    assert render("{{ messages[0] | tojson }}") == (
        '{"role": "user", "content": "<b>é & \'x\'</b>"}'
    )
    assert render("{{ strftime_now('%d %b %Y') }}") == "06 May 2024"
    assert render("{{ bos_token }}{{ eos_token }}{{ flag }}", flag=1) == "<s></s>1"
    assert render("{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}")
    assert render("{% generation %}said{% endgeneration %}") == "said"
    assert render("  {% if true %}\nx\n  {% endif %}\n") == "x\n"


def test_a_template_is_told_the_date_by_the_names_of_llama_and_firefunction() -> None:
    source = "{{ date_string }}|{{ datetime }}|{{ functions }}."
    assert render(source) == "06 May 2024|May 06 2024|."
    assert render(source, datetime="today") == "06 May 2024|today|."
    assert render("{{ functions is defined }}{% if tools %}{% endif %}") == "False"


def test_a_templates_own_complaint_is_a_request_error() -> None:
    with pytest.raises(RequestError, match="roles must alternate"):
        render("{{ raise_exception('roles must alternate') }}")


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{{ messages[0].content + 1 }}",
        "{% for i in range(99999) %}{{ 'x' * 99999 }}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    ],
)
def test_a_template_cannot_escape_or_run_away(source: str) -> None:
    with pytest.raises(RequestError):
        render(source)


def test_a_template_that_is_not_jinja_is_named(tmp_path: Path) -> None:
    file = tmp_path / "broken.jinja"
    file.write_text("{% for %}")
    with pytest.raises(ConfigError, match=r"broken\.jinja is not valid jinja \(line 1"):
        ChatTemplate.of(FakeVocab(), file)
    with pytest.raises(ConfigError, match="could not be read"):
        ChatTemplate.of(FakeVocab(), tmp_path / "none.jinja")


def test_without_a_template_of_its_own_a_model_gets_chatml() -> None:
    text = ChatTemplate.of(FakeVocab(None)).render([{"role": "user", "content": "Hi"}])
    assert text == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"


def test_the_files_own_template_shows_tools_and_results(qwen_path: Path) -> None:
    template = ChatTemplate.of(Vocab.load(qwen_path))
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    call = {"function": {"name": "f", "arguments": {"é": [1, 2]}}}
    text = template.render(
        [
            {"role": "user", "content": "Go"},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "content": "done"},
        ],
        [tool],
    )
    assert '{"type": "function", "function": {"name": "f", "parameters": {}}}\n</tools>' in text
    assert '<tool_call>\n{"name": "f", "arguments": {"é": [1, 2]}}\n</tool_call><|im_end|>' in text
    assert text.endswith(
        "<|im_start|>user\n<tool_response>\ndone\n</tool_response><|im_end|>\n"
        "<|im_start|>assistant\n"
    )
