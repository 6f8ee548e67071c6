"""The flags that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from edge_agent.agent.explore.profile import PROFILES
from edge_agent.agent.records import Limits

DEFAULT_LIMITS = Limits()

Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help="A card's name, a GGUF file, or auto."),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")
]
CtxSize = Annotated[
    int | None,
    typer.Option(
        "--ctx-size",
        "-c",
        help="Tokens of KV cache, shared by all sequences; 0 chooses by the memory.",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option("--threads", "-t", help="Threads that compute; 0 takes every core."),
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", "-s", help="Seed of every generation; -1 draws a new one each time."),
]
Backend = Annotated[
    str | None,
    typer.Option(
        "--backend",
        help="Base URL of an OpenAI-compatible server whose model is used in place of one here.",
    ),
]
BackendModel = Annotated[
    str | None,
    typer.Option("--backend-model", help="The model's name there; else the first it lists."),
]
BackendKeyEnv = Annotated[
    str | None,
    typer.Option("--backend-key-env", help="Environment variable that holds its API key."),
]
ProfileName = Annotated[
    str | None,
    typer.Option("--profile", help=f"How the agent talks to the model: {', '.join(PROFILES)}."),
]
Libraries = Annotated[
    list[str] | None,
    typer.Option("--library", help="A folder of documents, or NAME=FOLDER; may be repeated."),
]
SearchUrls = Annotated[
    list[str] | None, typer.Option("--search", help="URL of a SearXNG instance; may be repeated.")
]
Python = Annotated[
    bool | None,
    typer.Option(
        "--python/--no-python",
        help="Let the agent run Python, where this machine can confine it. Off by default.",
    ),
]
Steps = Annotated[int, typer.Option("--steps", min=1, help="Most turns of the model.")]
TokenLimit = Annotated[int, typer.Option("--tokens", min=1, help="Most tokens the model writes.")]
Seconds = Annotated[float, typer.Option("--seconds", min=1, help="Most seconds, all told.")]
