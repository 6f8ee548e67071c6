"""The flags that say who may come in, what is shown to them, and how chats answer by default."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from edge_agent.errors import ConfigError

Host = Annotated[
    str | None,
    typer.Option(
        "--host",
        help="Address to listen on, or several with commas between; 0.0.0.0 is open to the whole "
        "network.",
    ),
]
Port = Annotated[int | None, typer.Option("--port", help="Port to listen on; 0 takes a free one.")]
ApiKey = Annotated[
    list[str] | None,
    typer.Option("--api-key", help="A key clients must send, or several with commas between."),
]
ApiKeyFile = Annotated[
    Path | None,
    typer.Option("--api-key-file", help="A file of keys, one a line; # begins a comment."),
]
AllowAnyone = Annotated[
    bool | None,
    typer.Option(
        "--allow-anyone", help="Listen on an address that others reach, though no key is asked for."
    ),
]
RequestsPerKey = Annotated[
    int | None,
    typer.Option(
        "--requests-per-key",
        help="Most requests of one API key at once; more are refused with 429. 0 is no limit.",
    ),
]
CorsOrigins = Annotated[
    str | None,
    typer.Option(
        "--cors-origins",
        help="Web pages that may use this server: origins with commas between, localhost, or *. "
        "By default localhost, and every page where a key is asked for and neither --tools nor "
        "--mcp-servers-config is given.",
    ),
]
Metrics = Annotated[
    bool | None, typer.Option("--metrics/--no-metrics", help="Answer GET /metrics (Prometheus).")
]
Slots = Annotated[
    bool | None, typer.Option("--slots/--no-slots", help="Answer GET /slots: what is running.")
]
SlotSavePath = Annotated[
    Path | None,
    typer.Option("--slot-save-path", help="llama-server's word for --prefix-dir."),
]
Tools = Annotated[
    str | None,
    typer.Option(
        "--tools",
        help="Tools that programs on this machine may run by POST /tools: names with commas "
        "between, or all. The agent has its tools without it. Keeps --cors-origins at localhost.",
    ),
]
McpServers = Annotated[
    Path | None,
    typer.Option("--mcp-servers-config", help='A JSON file of MCP servers: {"mcpServers": {...}}.'),
]
Alias = Annotated[
    str | None,
    typer.Option("--alias", "-a", help="The model's name for clients, or several with commas."),
]
Tags = Annotated[
    str | None,
    typer.Option("--tags", help="Words that /v1/models shows with the model, commas between."),
]
TemplateFile = Annotated[
    Path | None,
    typer.Option("--chat-template-file", help="A jinja file instead of the model's own template."),
]
Template = Annotated[
    str | None,
    typer.Option("--chat-template", help="The same as text, or the name of a built-in template."),
]
Reasoning = Annotated[
    str | None,
    typer.Option(
        "--reasoning",
        "-rea",
        help="Whether a model that can think does: on, off, or auto, which leaves it to the model.",
    ),
]
ReasoningFormat = Annotated[
    str | None,
    typer.Option(
        "--reasoning-format",
        help="Where thoughts go: deepseek or auto (reasoning_content), none (they stay in the "
        "content), deepseek-legacy (both).",
    ),
]
Temp = Annotated[
    float | None, typer.Option("--temp", help="Temperature where a request names none.")
]
Predict = Annotated[
    int | None,
    typer.Option(
        "--n-predict",
        "-n",
        "--predict",
        help="Most tokens of an answer where a request names no limit; -1 fills the window.",
    ),
]
KvUnified = Annotated[
    bool | None,
    typer.Option(
        "--kv-unified/--no-kv-unified",
        "-kvu/-no-kvu",
        help="With --parallel: every request may use the whole --ctx-size, not only its share.",
    ),
]
SleepIdle = Annotated[
    float | None,
    typer.Option(
        "--sleep-idle-seconds",
        help="Idle seconds after which the model's memory is given back; the next request loads "
        "it again. -1 never does.",
    ),
]
Verbose = Annotated[
    bool | None,
    typer.Option("--verbose", "-v", help="Replies carry `__verbose` with the rendered prompt."),
]


def words_of(given: Sequence[str] | str | None) -> tuple[str, ...] | None:
    """Values with commas between; None where the flag was not given."""
    if given is None:
        return None
    texts = [given] if isinstance(given, str) else given
    return tuple(word.strip() for text in texts for word in text.split(",") if word.strip())


def given_keys(given: Sequence[str] | None) -> tuple[str, ...] | None:
    """The keys of the flag; None where it was not given. Raises ConfigError for a flag without one,
    such as an unset variable: it would open the door."""
    words = words_of(given)
    if words == ():
        raise ConfigError("--api-key is empty: give a key, or leave the flag out.")
    return words


def keys_of(file: Path | None) -> tuple[str, ...]:
    """The keys in a file, one a line. Raises ConfigError when there is none."""
    if file is None:
        return ()
    try:
        lines = file.expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--api-key-file {file} could not be read: {error}.") from None
    bare = (line.strip() for line in lines)
    keys = tuple(line for line in bare if line and not line.startswith("#"))
    if not keys:
        raise ConfigError(f"--api-key-file {file} holds no key: write one a line.")
    return keys
