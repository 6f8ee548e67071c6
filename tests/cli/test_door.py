"""From flags to the door: keys, origins, addresses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_agent.cli.door import all_keys, door_of, opened_doors
from edge_agent.cli.door_options import words_of
from edge_agent.config import load_settings
from edge_agent.errors import ConfigError
from edge_agent.server.services import Door

from .shell import Shell


def door(**flags: Any) -> Door:
    settings = load_settings(port=0, **flags)
    with opened_doors(settings) as doors:
        return door_of(settings, doors)


def test_several_keys_come_with_commas_again_or_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# those of the house\nthree\n  # and of guests\n\n  four  \none\n")
    given = words_of(["one, two", "five"])
    settings = load_settings(api_key=given, api_key_file=file)
    assert all_keys(settings) == ("one", "two", "five", "three", "four")


@pytest.mark.parametrize("text", ["", "# nothing\n\n", "  # nothing\n"])
def test_a_file_without_a_key_leaves_no_door_open(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys"
    file.write_text(text)
    with pytest.raises(ConfigError, match="holds no key"):
        all_keys(load_settings(api_key_file=file))
    with pytest.raises(ConfigError, match="could not be read"):
        all_keys(load_settings(api_key_file=tmp_path / "none"))


@pytest.mark.parametrize(
    ("flags", "origins", "own_names_only"),
    [
        ({}, ("localhost",), True),
        ({"api_key": ("one",)}, ("*",), False),
        ({"api_key": ("one",), "tools": ("all",)}, ("localhost",), False),
        ({"tools": ("all",)}, ("localhost",), True),
        ({"cors_origins": ("https://a.example",)}, ("https://a.example",), True),
        ({"cors_origins": ("*",), "tools": ("all",)}, ("*",), True),
        ({"host": "0.0.0.0", "allow_anyone": True}, ("localhost",), False),
    ],
)
def test_pages_of_other_sites_need_a_key(
    flags: dict[str, Any], origins: tuple[str, ...], own_names_only: bool
) -> None:
    made = door(**flags)
    assert (made.origins, made.own_names_only) == (origins, own_names_only)


def test_the_limit_of_a_key_is_the_settings() -> None:
    assert (door().per_key, door(requests_per_key=3).per_key) == (0, 3)


def test_an_address_on_the_network_needs_a_key_or_a_word() -> None:
    with pytest.raises(ConfigError, match="--api-key"):
        door(host="0.0.0.0")
    door(host="0.0.0.0", api_key=("one",))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--host", "0.0.0.0", "--port", "0"), "--allow-anyone"),
        (("--mcp-servers-config", "/nowhere/mcp.json"), "--mcp-servers-config"),
        (("--api-key-file", "/nowhere/keys"), "--api-key-file"),
        (("--reasoning", "perhaps"), "reasoning"),
        (("--reasoning-format", "loud"), "reasoning_format"),
        (("--sleep-idle-seconds", "-2"), "sleep_idle_seconds"),
        (("--requests-per-key", "-1"), "requests_per_key"),
    ],
)
def test_a_wrong_flag_of_the_door_is_one_sentence(
    shell: Shell, smollm2_path: Path, flags: tuple[str, ...], said: str
) -> None:
    assert said in shell.refused("serve", "--model", smollm2_path, *flags)
