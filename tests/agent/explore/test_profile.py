from __future__ import annotations

import pytest

from edge_agent.agent.explore.dialect import DIALECTS
from edge_agent.agent.explore.profile import PROFILES, profile
from edge_agent.chat.messages import Message, ToolSpec
from edge_agent.errors import NotFound
from edge_agent.tools.base import Tool

from .kit import PLAIN


def announced(name: str, *more: Tool) -> dict[str, ToolSpec]:
    tools = {tool.name: tool for tool in more}
    chosen = PROFILES[name]
    request = DIALECTS["hermes"](chosen, tools).request((Message("user", "?"),), 1)
    return {spec.name: spec for spec in request.tools}


async def _run(code: str) -> str:
    """Runs code."""
    return code


PYTHON = Tool.of(_run, "PythonInterpreter")


@pytest.mark.parametrize(
    ("name", "temperature", "top_p", "presence"),
    [
        ("agentcpm", 1.0, 1.0, 0.0),
        ("dr-venus", 1.0, 0.95, 1.1),
        ("tongyi", 0.6, 0.95, 1.1),
        ("litresearcher", 0.6, 0.95, 1.1),
    ],
)
def test_each_model_is_sampled_as_it_was_trained(
    name: str, temperature: float, top_p: float, presence: float
) -> None:
    sampling = PROFILES[name].sampling
    assert sampling is not None
    found = (sampling.temperature, sampling.top_p, sampling.presence_penalty)
    assert found == (temperature, top_p, presence)


@pytest.mark.parametrize(
    ("name", "fetch", "purpose"),
    [
        ("agentcpm", "fetch_url", "purpose"),
        ("qwen", "fetch_url", "purpose"),
        ("dr-venus", "visit", "goal"),
        ("tongyi", "visit", "goal"),
        ("litresearcher", "visit", "goal"),
    ],
)
def test_each_model_is_told_of_the_tools_it_knows(name: str, fetch: str, purpose: str) -> None:
    specs = announced(name)
    assert list(specs) == ["search", fetch]
    assert list(specs[fetch].parameters["properties"]) == ["url", purpose]
    assert specs["search"].parameters["properties"]["query"]["maxItems"] == 3
    system = DIALECTS["hermes"](PROFILES[name]).opening("?", "")[0].content
    assert f"`{purpose}`" in system


def test_a_python_tool_is_announced_only_where_there_is_one_and_the_model_knows_it() -> None:
    assert announced("agentcpm", PYTHON)["PythonInterpreter"].parameters["properties"] == {}
    assert "PythonInterpreter" not in announced("agentcpm")
    assert "PythonInterpreter" not in announced("qwen", PYTHON)


def test_other_tools_are_announced_as_they_are() -> None:
    async def recall(ids: list[int]) -> str:
        """Shows facts again."""
        return ""

    assert announced("agentcpm", Tool.of(recall))["recall"].description == "Shows facts again."


def test_agentcpm_may_write_as_much_as_it_was_trained_to() -> None:
    assert PROFILES["agentcpm"].turn_tokens == 16_384


@pytest.mark.parametrize("n_ctx", [2048, 4096, 16_384, 32_768])
@pytest.mark.parametrize("name", list(PROFILES))
def test_a_fitted_profile_leaves_room_in_its_window(name: str, n_ctx: int) -> None:
    fitted = PROFILES[name].fitted(n_ctx)
    assert fitted.notes.noted + fitted.turn_tokens + 512 <= n_ctx
    assert fitted.answer_tokens + 700 + 200 < n_ctx
    assert (fitted.thought_tokens or 0) <= fitted.turn_tokens


def test_the_plain_profile_fits_every_window_from_4k_on_as_it_is() -> None:
    assert PLAIN.fitted(4096) == PLAIN


def test_a_profile_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(NotFound, match="agentcpm"):
        profile("gpt")
