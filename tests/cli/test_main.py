"""What every command has in common, and how a wrong setting is told."""

from __future__ import annotations

import click
import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from edge_agent import __version__
from edge_agent.cli.main import app

from .shell import Shell

COMMANDS = ("serve", "run", "demo", "search", "pull", "models", "plan", "bench", "mcp")
LLAMA_SERVER_FLAGS = {
    "--model", "--host", "--port", "--ctx-size", "--parallel", "--batch-size", "--threads",
    "--api-key", "--alias", "--chat-template-file", "--n-gpu-layers", "--seed", "--temp",
    "--n-predict", "--lora", "--lora-scaled", "--cache-type-k", "--cache-type-v", "--cache-ram",
    "--api-key-file", "--cors-origins", "--sleep-idle-seconds", "--metrics", "--slots", "--tags",
    "--kv-unified", "--tools", "--chat-template", "--slot-save-path", "--reasoning",
    "--reasoning-format", "--verbose", "--mcp-servers-config",
}  # fmt: skip


def command(name: str) -> click.Command:
    group = get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    return group.commands[name]


def test_the_version_is_the_packages() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.stdout) == (0, f"edge-agent {__version__}\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_says_what_it_does(name: str) -> None:
    told = command(name)
    assert told.help
    options = [p for p in told.params if p.param_type_name == "option" and p.name != "help"]
    assert all(getattr(option, "help", None) for option in options)
    assert CliRunner().invoke(app, [name, "--help"]).exit_code == 0


def test_serve_takes_the_flags_of_llama_server() -> None:
    taken = {flag for param in command("serve").params for flag in param.opts}
    assert taken >= LLAMA_SERVER_FLAGS


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("EDGE_AGENT_PORT", "http", "Setting port"),
        ("EDGE_AGENT_CTX_SIZE", "-5", "Setting ctx_size"),
        ("EDGE_AGENT_KV_TYPE", "q1", "Setting kv_type"),
    ],
)
def test_a_wrong_setting_is_named(shell: Shell, variable: str, value: str, said: str) -> None:
    sentence = shell.refused("models", **{variable: value})
    assert sentence.startswith(said) and value in sentence


@pytest.mark.parametrize("text", ["port = [", "prot = 8080", 'port = "x"'])
def test_a_wrong_settings_file_is_named(shell: Shell, text: str) -> None:
    (shell.folder / "config.toml").write_text(text)
    assert shell.refused("models")


def test_a_flag_of_the_wrong_type_is_a_usage_error(shell: Shell) -> None:
    done = shell.run("serve", "--port", "http")
    assert done.returncode == 2 and "--port" in done.stderr and not done.stdout


def test_a_real_process_ends_with_the_same_one_sentence(shell: Shell) -> None:
    done = shell.run("pull", "no-such-model")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("edge-agent: ") and done.stderr.count("\n") == 1
