"""Other people's tool servers, as a file in the common `mcpServers` form names them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

from edge_agent.errors import ConfigError

Approval = Literal["allow", "ask", "deny"]
APPROVALS = get_args(Approval)
CALL_S = 60.0  # a call, unless the file says otherwise
LONGEST_S = 3600.0  # a larger "timeout" was meant in milliseconds
NAME = re.compile(r"[A-Za-z0-9_.-]{1,48}")  # it becomes part of the tools' names
HTTP_KINDS = ("http", "streamable-http", "streamable_http", "streamableHttp")
FORM = '{"mcpServers": {"name": {"command": "...", "args": [...]}}} or {"name": {"url": "..."}}'
_VARIABLE = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


@dataclass(frozen=True, slots=True)
class McpServer:
    """One entry of the file: a program to start (command) or an address to call (url).

    env: beside PATH, HOME and the like, all that the program gets. call_s: most seconds of a call.
    approval: what happens to a call of a tool that `approvals` does not name: it is made, a person
    is asked, or it is refused.
    """

    name: str
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    call_s: float = CALL_S
    approval: Approval = "ask"
    approvals: Mapping[str, Approval] = field(default_factory=dict)

    def approval_of(self, tool: str) -> Approval:
        """What happens to a call of a tool, which is named as the server names it."""
        return self.approvals.get(tool, self.approval)


def read_servers(
    file: Path | None, environment: Mapping[str, str] = os.environ
) -> tuple[McpServer, ...]:
    """The servers of a file, those that are disabled left out; none without a file.

    `${NAME}` and `${NAME:-otherwise}` stand for variables of the environment. Raises ConfigError.
    """
    if file is None:
        return ()
    where = f"--mcp-servers-config {file}"
    entries = _entries(where, file)
    servers = (_server(f"{where}: {name}", name, how, environment) for name, how in entries.items())
    return tuple(server for server in servers if server is not None)


def _entries(where: str, file: Path) -> dict[str, Any]:
    try:
        text = file.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where} could not be read: {error}.") from None
    try:
        entries = json.loads(text)["mcpServers"]
    except (ValueError, TypeError, KeyError):
        entries = None
    if not isinstance(entries, dict) or not all(isinstance(e, dict) for e in entries.values()):
        raise ConfigError(f"{where} is not JSON of the form {FORM} inside mcpServers.")
    return entries


def _server(
    where: str, name: str, how: dict[str, Any], environment: Mapping[str, str]
) -> McpServer | None:
    """The server of an entry; None where it is disabled."""
    if how.get("disabled") is True or how.get("enabled") is False:
        return None
    if not NAME.fullmatch(name):
        raise ConfigError(f"{where}: a server's name has letters, digits, _, - and . only.")
    entry = _Entry(where, how, environment)
    command, url = entry.text("command"), entry.text("url") or entry.text("httpUrl")
    if bool(command) == bool(url):
        raise ConfigError(f"{where}: give either a command or a url. The form is {FORM}.")
    entry.check_kind(bool(url))
    return McpServer(
        name,
        command,
        entry.texts("args"),
        entry.named("env"),
        entry.text("cwd") or None,
        url,
        entry.named("headers"),
        entry.seconds(),
        entry.approval(how.get("approval", "ask")),
        entry.approvals(),
    )


@dataclass(frozen=True, slots=True)
class _Entry:
    """The values of one entry, checked as they are read."""

    where: str
    how: Mapping[str, Any]
    environment: Mapping[str, str]

    def text(self, key: str) -> str:
        value = self.how.get(key, "")
        if not isinstance(value, str):
            raise ConfigError(f"{self.where}: {key} is a text.")
        return self._filled(value)

    def texts(self, key: str) -> tuple[str, ...]:
        values = self.how.get(key, [])
        if not isinstance(values, list) or not all(
            isinstance(v, (str, int, float)) for v in values
        ):
            raise ConfigError(f"{self.where}: {key} is a list of texts.")
        return tuple(self._filled(str(value)) for value in values)

    def named(self, key: str) -> dict[str, str]:
        values = self.how.get(key) or {}
        if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
            raise ConfigError(f"{self.where}: {key} is an object of texts.")
        return {name: self._filled(value) for name, value in values.items()}

    def check_kind(self, is_http: bool) -> None:
        kind = self.how.get("type") or self.how.get("transport")
        if kind == "sse":
            raise ConfigError(
                f"{self.where}: the old SSE transport is not supported: use the server's "
                "streamable HTTP address."
            )
        if kind not in (None, *(HTTP_KINDS if is_http else ("stdio",))):
            raise ConfigError(f"{self.where}: type {kind!r} does not fit a {self._door(is_http)}.")

    @staticmethod
    def _door(is_http: bool) -> str:
        return "url" if is_http else "command"

    def seconds(self) -> float:
        """`timeout_ms` in milliseconds, else `timeout` in seconds."""
        key, scale = ("timeout_ms", 1e-3) if "timeout_ms" in self.how else ("timeout", 1.0)
        value = self.how.get(key, CALL_S)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ConfigError(f"{self.where}: {key} is a number.")
        if not 0 < value * scale <= LONGEST_S:
            raise ConfigError(
                f"{self.where}: {key} is above 0 and at most an hour; timeout counts seconds, "
                "timeout_ms milliseconds."
            )
        return value * scale

    def approval(self, value: Any) -> Approval:
        if value not in APPROVALS:
            raise ConfigError(f"{self.where}: approval is one of {', '.join(APPROVALS)}.")
        return cast(Approval, value)

    def approvals(self) -> dict[str, Approval]:
        """By tool: our own `approvals` over the lists that other programs know."""
        own = self.how.get("approvals") or {}
        if not isinstance(own, dict):
            raise ConfigError(f'{self.where}: approvals is an object such as {{"tool": "allow"}}.')
        allowed = (*self.texts("alwaysAllow"), *self.texts("autoApprove"))
        known: dict[str, Approval] = dict.fromkeys(allowed, "allow")
        known |= dict.fromkeys(self.texts("disabledTools"), "deny")
        return known | {tool: self.approval(value) for tool, value in own.items()}

    def _filled(self, text: str) -> str:
        def value(match: re.Match[str]) -> str:
            known = self.environment.get(match[1], match[2])
            if known is None:
                raise ConfigError(f"{self.where}: the environment has no {match[1]}.")
            return known

        return _VARIABLE.sub(value, text)
