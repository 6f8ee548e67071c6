"""From the settings to a model on this device and the way to load it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge_agent.catalog.catalog import Catalog
from edge_agent.catalog.choose import Choice, choose
from edge_agent.catalog.gguf import GgufHeader, read_gguf
from edge_agent.catalog.progress import Progress
from edge_agent.catalog.pull import pull
from edge_agent.config import Settings
from edge_agent.engine.planner import Machine, ModelShape, Plan, Wishes, plan
from edge_agent.errors import ModelLoadError


def fetch_model(
    settings: Settings, say: Callable[[str], None], progress: Progress
) -> tuple[Choice, Path]:
    """Choose a model and bring it here; blocks while it downloads. Raises any catalog error."""
    catalog = Catalog.load(settings.models_dir)
    memory = Machine.here().available_bytes
    choice = choose(settings.model, settings.models_dir, catalog, memory)
    say(choice.reason)
    if choice.path is not None:
        return choice, choice.path
    if choice.card is None:
        raise ModelLoadError(f"{choice.name} has neither a file nor a card to pull it by.")
    return choice, pull(choice.card, settings.models_dir, progress)


def plan_of(path: Path, settings: Settings) -> Plan:
    """How to load the file on this machine; raises ModelLoadError when it does not fit."""
    return plan(shape_of(read_gguf(path)), Machine.here(), _wishes(settings))


def shape_of(header: GgufHeader) -> ModelShape:
    """What the planner needs to know of a file."""
    heads = header.number("attention.head_count") or 1
    width = header.number("embedding_length") or 0
    return ModelShape(
        path=str(header.path),
        file_bytes=header.end_offset,
        n_ctx_train=header.context_length or 4096,
        n_layers=header.number("block_count") or 0,
        n_kv_heads=header.number("attention.head_count_kv") or heads,
        head_dim=header.number("attention.key_length") or width // heads,
    )


def _wishes(settings: Settings) -> Wishes:
    return Wishes(
        ctx_size=settings.ctx_size,
        parallel=settings.parallel,
        batch_size=settings.batch_size,
        threads=settings.threads,
        n_gpu_layers=settings.n_gpu_layers,
        kv_type=settings.kv_type,
    )
