"""The flags of `edge-agent eval`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_agent.eval.arms.table import ARMS
from edge_agent.eval.without import PARTS

Questions = Annotated[
    Path,
    typer.Option(
        "--questions", help="JSON lines with id, question, answer, aliases?, gold_titles?."
    ),
]
Limit = Annotated[
    int | None,
    typer.Option("--limit", min=1, help="Most questions: the first ones, or drawn by --seed."),
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", "-s", min=0, help="Draws the questions, and what the model samples."),
]
Tries = Annotated[int, typer.Option("--k", min=1, max=100, help="Tries at each question.")]
ArmName = Annotated[str, typer.Option("--arm", help=f"What answers: {', '.join(ARMS)}.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Folder of the tries and the report; goes on where it stopped."),
]
Warmth = Annotated[
    float,
    typer.Option("--temp", min=0, help="With --k above 1: the temperature in place of greedy."),
]
Variations = Annotated[
    list[str] | None,
    typer.Option("--set", help="A field of the profile, such as reads=5 or notes.ranked=400."),
]
Without = Annotated[
    list[str] | None,
    typer.Option(
        "--without",
        help="Take away " + "; ".join(f"{name}: {what}" for name, what in PARTS.items()) + ".",
    ),
]
Rollouts = Annotated[int, typer.Option("--rollouts", min=1, help="Rollouts of each agent run.")]
FreshAttempts = Annotated[
    int, typer.Option("--fresh-attempts", min=0, help="Fresh attempts of each agent run.")
]
