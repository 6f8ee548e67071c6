"""Settings, read once: flags over EDGE_AGENT_* variables over the settings file over defaults."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_cache_path, user_config_path, user_data_path
from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from edge_agent.errors import ConfigError

APP = "edge-agent"


def settings_file() -> Path:
    """The TOML file that is read when it exists; EDGE_AGENT_CONFIG names another."""
    named = os.environ.get("EDGE_AGENT_CONFIG")
    return Path(named) if named else user_config_path(APP) / "config.toml"


class Settings(BaseSettings):
    """Everything a person can set. Sizes in tokens, times in seconds."""

    model_config = SettingsConfigDict(env_prefix="EDGE_AGENT_", extra="forbid")

    # where things are kept
    models_dir: Path = Field(default_factory=lambda: user_data_path(APP) / "models")
    data_dir: Path = Field(default_factory=lambda: user_data_path(APP))
    cache_dir: Path = Field(default_factory=lambda: user_cache_path(APP))

    # the model: a card's name, a path to a GGUF, or "auto"
    model: str = "auto"
    alias: str | None = None
    chat_template_file: Path | None = None
    chat_template: str | None = Field(None, description="jinja text, or a built-in's name")
    tags: tuple[str, ...] = Field((), description="words /v1/models shows with the model")
    ctx_size: int = Field(0, ge=0, description="KV cells shared by all sequences; 0 chooses")
    parallel: int = Field(0, ge=0, le=64, description="sequences at once; 0 chooses")
    kv_unified: bool = Field(False, description="a request may use all of ctx_size")
    batch_size: int = Field(0, ge=0, description="tokens per decode call; 0 chooses")
    threads: int = Field(0, ge=0, description="decode threads; 0 chooses")
    n_gpu_layers: int = Field(
        -2, ge=-2, description="layers on the accelerator; -1 all, -2 chooses"
    )
    kv_type: Literal["auto", "f16", "q8_0"] = Field(
        "auto", description="how keys and values are stored; auto: f16, or q8_0 where only it fits"
    )
    lora: tuple[str, ...] = Field((), description="LoRA adapters, each FILE or FILE=SCALE")
    speculate: bool = Field(True, description="draft tokens ahead where that is faster")
    chunk: int = Field(
        0, ge=0, description="prompt tokens per step beside a stream that is read; 0 adapts"
    )
    cache_ram: int | None = Field(
        None, ge=0, description="MiB for prefixes moved out of the KV cells; unset: 512 or less"
    )
    prefix_dir: Path | None = Field(
        None, description="where pinned prefixes are kept; unset: prefixes/ in cache_dir"
    )
    prefix_disk: int = Field(4096, ge=0, description="MiB of disk for pinned prefixes")
    stuck_after: float = Field(
        120.0, gt=0, description="seconds without a step, while work waits, before a restart"
    )
    sleep_idle_seconds: float = Field(
        -1, ge=-1, description="idle seconds before the model's memory is given back; -1 never"
    )

    # a model behind an OpenAI-compatible server, in place of one here
    backend: str | None = Field(None, description="base URL, such as http://127.0.0.1:8000/v1")
    backend_model: str | None = Field(None, description="its name there; the first that is listed")
    backend_key_env: str | None = Field(None, description="environment variable with the API key")

    # how the agent talks to the model, over what its card or name says
    profile: str | None = None
    runs_at_once: int = Field(2, ge=1, le=64, description="agent runs at once; others wait")

    # defaults of a request, over the model card's
    seed: int | None = None
    temp: float | None = Field(None, ge=0)
    n_predict: int = Field(-1, ge=-1, description="generated tokens by default; -1 is the window")
    reasoning: Literal["auto", "on", "off"] = "auto"
    reasoning_format: Literal["auto", "none", "deepseek", "deepseek-legacy"] = "auto"

    # the door
    host: str = Field("127.0.0.1", description="addresses, commas between")
    port: int = Field(8080, ge=0, le=65535)
    api_key: tuple[str, ...] = ()
    api_key_file: Path | None = Field(None, description="more keys, one a line")
    allow_anyone: bool = Field(False, description="serve others on the network without a key")
    requests_per_key: int = Field(0, ge=0, description="of one key at once; 0 is no limit")
    cors_origins: tuple[str, ...] = Field((), description="pages that may ask; unset: by the keys")
    metrics: bool = Field(False, description="answer GET /metrics")
    slots: bool = Field(False, description="answer GET /slots")
    verbose: bool = Field(False, description="replies carry __verbose with the prompt")
    tools: tuple[str, ...] = Field((), description="llama-server's; keeps cors_origins local")
    mcp_servers_config: Path | None = None
    python_tool: bool = Field(False, description="the agent may run Python, confined")

    # the world
    libraries: dict[str, Path] = Field(default_factory=dict)
    search_url: tuple[str, ...] = Field((), description="SearXNG instances, asked in order")
    web_search: bool = Field(True, description="ask the web when nothing else is configured")
    search_order: tuple[str, ...] = Field(
        (), description="engines in order; unset: libraries and SearXNG, else what the web has"
    )
    search_answers: int = Field(1, ge=1, description="engines whose answers are merged")
    search_timeout: float = Field(15.0, gt=0, description="seconds an engine has for one try")
    search_cache_hours: float = Field(24.0, ge=0, description="an answer is given again so long")
    search_addresses: dict[str, str] = Field(
        default_factory=dict, description="engines that are elsewhere than usual, such as a mirror"
    )
    ddgs_engines: tuple[str, ...] = Field(
        ("duckduckgo", "mojeek", "yahoo"), description="asked in order for ddgs"
    )
    allow_hosts: tuple[str, ...] = Field((), description="hosts fetched from even on loopback")
    egress: Literal["open", "allow-list", "offline"] = Field(
        "open", description="which hosts are fetched from: all, egress_hosts, or none elsewhere"
    )
    egress_hosts: tuple[str, ...] = Field((), description="for allow-list; *.host is all below it")
    robots_off: tuple[str, ...] = Field(
        (), description="one's own hosts, whose robots.txt is not asked; * asks none"
    )
    page_cache: int = Field(256, ge=0, description="MiB of pages kept between runs; 0 keeps none")
    render: bool = Field(True, description="run pages' scripts where the extra is installed")
    chromium: Path | None = Field(None, description="the browser for that; unset: what is found")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        toml = TomlConfigSettingsSource(settings_cls, toml_file=settings_file())
        return (init_settings, env_settings, toml)


def load_settings(**flags: Any) -> Settings:
    """Read the settings; `flags` that are None were not given. Raises ConfigError."""
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"Setting {where}: {first['msg']} (got {first['input']!r}).") from None
    except ValueError as error:  # a settings file that is not TOML
        raise ConfigError(f"{settings_file()} could not be read: {error}") from None
