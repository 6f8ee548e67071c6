"""`edge-agent search` shows what the agent would find, who answered, who failed and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edge_agent.cli.main import app
from tests.tools.search import engines
from tests.tools.search.engines import KEY, Engine

from .shell import Shell


def told(shell: Shell, *arguments: str | Path, **variables: str) -> tuple[dict[str, Any], str]:
    runner = CliRunner(env=shell.environment(**variables))
    done = runner.invoke(app, ["search", *map(str, arguments), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout), done.stderr


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "lamp.md").write_text("# The lamp\n\nIt was lit in 1871.")
    return tmp_path / "docs"


def test_several_queries_are_answered_and_their_pages_numbered(shell: Shell) -> None:
    with Engine(engines.searxng) as engine:
        found, _ = told(shell, "lamp", "nothing", "light", "--search", engine.url, "-n", "3")
    assert [(each["number"], each["url"]) for each in found["results"]] == [
        (1, "https://a.example/0"), (2, "https://a.example/1"), (3, "https://a.example/2"),
    ]  # fmt: skip
    assert found["results"][0]["queries"] == ["lamp", "light"]
    assert [(each["query"], each["engine"], each["hits"]) for each in found["queries"]] == [
        ("lamp", "searxng", 3), ("nothing", "searxng", 0), ("light", "searxng", 3),
    ]  # fmt: skip


def test_a_library_answers_before_the_web(shell: Shell, docs: Path) -> None:
    with Engine(engines.searxng) as engine:
        found, _ = told(shell, "lamp", "--library", docs, "--search", engine.url)
        assert engine.asked == [] and found["results"][0]["url"] == "library://docs/lamp.md"
        both, _ = told(
            shell, "lamp", "--library", docs, "--search", engine.url, EDGE_AGENT_SEARCH_ANSWERS="2"
        )
        assert both["queries"][0]["engine"] == "docs, searxng" and len(both["results"]) == 10
        only, _ = told(
            shell, "lamp", "--library", docs, "--search", engine.url, "--provider", "searxng"
        )
        assert only["queries"][0]["engine"] == "searxng"


def test_an_engine_with_a_key_is_asked_where_the_settings_say(shell: Shell) -> None:
    with Engine(engines.brave) as engine:
        settings = {
            "EDGE_AGENT_SEARCH_ADDRESSES": json.dumps({"brave": engine.url}),
            "EDGE_AGENT_SEARCH_ORDER": '["brave"]',
            "BRAVE_API_KEY": KEY,
        }
        found, _ = told(shell, "light", **settings)
    assert found["queries"][0]["engine"] == "brave" and len(found["results"]) == 10


def test_who_fails_is_told_and_the_next_one_answers(shell: Shell) -> None:
    def down(asked: engines.Asked) -> engines.Reply:
        return engines.as_json({"message": "Over quota."}, 429, Retry_After="90")

    with Engine(down) as broken, Engine(engines.wikipedia) as wiki:
        addresses = {"serper": broken.url, "wikipedia": wiki.url}
        settings = {
            "EDGE_AGENT_SEARCH_ADDRESSES": json.dumps(addresses),
            "EDGE_AGENT_SEARCH_ORDER": '["serper", "wikipedia"]',
            "SERPER_API_KEY": KEY,
        }
        found, _ = told(shell, "light", **settings)
        assert found["queries"][0]["engine"] == "wikipedia"
        (failure,) = found["queries"][0]["failures"]
        assert failure["engine"] == "serper" and "Over quota." in failure["why"]
        again, _ = told(shell, "lamp", **settings)  # another process would do the same
        assert "left alone for 90 more seconds" in again["queries"][0]["failures"][0]["why"]
        assert len(broken.asked) == 1
        done = CliRunner(env=shell.environment(**settings)).invoke(app, ["search", "light"])
    assert done.exit_code == 0 and "1. light (lighthouse) 0" in done.stdout
    assert "10 results from wikipedia. serper failed:" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "variables", "sentence"),
    [
        (("x", "--provider", "altavista"), {}, "no search engine 'altavista'"),
        (("x", "--provider", "brave"), {"BRAVE_API_KEY": ""}, "needs its key in BRAVE_API_KEY"),
        (("x", "--provider", "ddgs/altavista"), {}, "ddgs has no engine"),
        (("x", "--provider", "ddgs"), {"EDGE_AGENT_EGRESS": "offline"}, "stay offline"),
        (("x", "--provider", "wikipedia"), {"EDGE_AGENT_EGRESS": "offline"}, "stay offline"),
        (("x", "--provider", "ddgs"), {"EDGE_AGENT_EGRESS": "allow-list"}, "out of search_order"),
        (
            ("x",),
            {"EDGE_AGENT_EGRESS": "allow-list"},
            "en.wikipedia.org was not asked: it is not on",
        ),
        (("x",), {"EDGE_AGENT_SEARCH_ORDER": '["bing"]'}, "'bing' is no engine"),
        (("x",), {"EDGE_AGENT_WEB_SEARCH": "false"}, "There is no search engine"),
        (("  ",), {}, "say what to search for"),
        (("x", "--search", "http://127.0.0.1:9"), {}, "could not be reached"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    shell: Shell, arguments: tuple[str, ...], variables: dict[str, str], sentence: str
) -> None:
    assert sentence in shell.refused("search", *arguments, **variables)
