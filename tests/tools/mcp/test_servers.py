from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_agent.errors import ConfigError
from edge_agent.tools.mcp.servers import McpServer, read_servers

ENVIRONMENT = {"TOKEN": "secret", "HOME": "/home/me"}


def read(folder: Path, **entries: Any) -> tuple[McpServer, ...]:
    file = folder / "mcp.json"
    file.write_text(json.dumps({"mcpServers": entries}))
    return read_servers(file, ENVIRONMENT)


def test_a_program_and_an_address_are_read(tmp_path: Path) -> None:
    near, far = read(
        tmp_path,
        near={"command": "uvx", "args": ["shop", "--port", 3], "env": {"A": "b"}, "cwd": "/tmp"},
        far={"type": "http", "url": "https://shop.example/mcp", "headers": {"X": "y"}},
    )
    assert (near.command, near.args, near.env, near.cwd) == (
        "uvx",
        ("shop", "--port", "3"),
        {"A": "b"},
        "/tmp",
    )
    assert (far.url, far.headers, far.call_s) == ("https://shop.example/mcp", {"X": "y"}, 60)
    assert read_servers(None) == ()


def test_variables_of_the_environment_are_filled_in(tmp_path: Path) -> None:
    (far,) = read(
        tmp_path,
        far={
            "url": "https://${HOST:-shop.example}/mcp",
            "headers": {"Authorization": "Bearer ${TOKEN}", "Home": "${env:HOME}"},
        },
    )
    assert far.url == "https://shop.example/mcp"
    assert far.headers == {"Authorization": "Bearer secret", "Home": "/home/me"}
    with pytest.raises(ConfigError, match="the environment has no MISSING"):
        read(tmp_path, near={"command": "x", "env": {"KEY": "${MISSING}"}})


def test_a_disabled_server_is_left_out(tmp_path: Path) -> None:
    off = {"command": "x", "disabled": True}, {"command": "x", "enabled": False}
    assert read(tmp_path, a=off[0], b=off[1], c={"command": "x", "disabled": False})[0].name == "c"


def test_calls_are_asked_about_unless_the_file_allows_them(tmp_path: Path) -> None:
    plain, lists, own = read(
        tmp_path,
        plain={"command": "x"},
        lists={"command": "x", "alwaysAllow": ["read"], "disabledTools": ["delete"]},
        own={
            "command": "x",
            "approval": "allow",
            "approvals": {"write": "ask", "delete": "deny"},
            "autoApprove": ["write"],
        },
    )
    assert plain.approval_of("read") == "ask"
    assert [lists.approval_of(t) for t in ("read", "delete", "write")] == ["allow", "deny", "ask"]
    assert [own.approval_of(t) for t in ("read", "delete", "write")] == ["allow", "deny", "ask"]


@pytest.mark.parametrize(
    ("entry", "seconds"),
    [({}, 60.0), ({"timeout": 5}, 5.0), ({"timeout_ms": 500}, 0.5)],
)
def test_the_time_of_a_call(tmp_path: Path, entry: dict[str, Any], seconds: float) -> None:
    assert read(tmp_path, shop={"command": "x", **entry})[0].call_s == seconds


@pytest.mark.parametrize(
    "text", ["not json", "[]", "{}", '{"mcpServers": []}', '{"mcpServers": {"a": 1}}', "\xff"]
)
def test_a_broken_file_is_a_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mcp.json"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"mcpServers|could not be read"):
        read_servers(file)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({}, "either a command or a url"),
        ({"command": "x", "url": "http://h/mcp"}, "either a command or a url"),
        ({"url": "http://h/sse", "type": "sse"}, "SSE transport"),
        ({"command": "x", "type": "http"}, "does not fit a command"),
        ({"command": 3}, "command is a text"),
        ({"command": "x", "args": "y"}, "args is a list"),
        ({"command": "x", "args": [{}]}, "args is a list"),
        ({"command": "x", "env": {"A": 1}}, "env is an object"),
        ({"command": "x", "timeout": 600_000}, "timeout_ms milliseconds"),
        ({"command": "x", "timeout": True}, "timeout is a number"),
        ({"command": "x", "timeout_ms": 0}, "above 0"),
        ({"command": "x", "approval": "perhaps"}, "one of allow, ask, deny"),
        ({"command": "x", "approvals": {"t": "sure"}}, "one of allow, ask, deny"),
        ({"command": "x", "approvals": ["t"]}, "approvals is an object"),
    ],
)
def test_a_wrong_entry_is_a_sentence_that_names_it(
    tmp_path: Path, entry: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        read(tmp_path, shop=entry)
    assert "mcp.json: shop:" in str(caught.value)


def test_a_name_that_cannot_be_part_of_a_tools_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="letters, digits"):
        read(tmp_path, **{"my shop!": {"command": "x"}})
