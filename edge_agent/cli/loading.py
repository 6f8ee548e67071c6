"""From the settings to a model on this device and the way to load it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from edge_agent.catalog.catalog import Catalog
from edge_agent.catalog.choose import Choice, choose
from edge_agent.catalog.gguf import read_gguf
from edge_agent.catalog.progress import Progress
from edge_agent.catalog.pull import pull
from edge_agent.cli.shapes import shape_of
from edge_agent.config import Settings
from edge_agent.engine.fit.layouts import Wishes
from edge_agent.engine.fit.machine import Machine, available_bytes
from edge_agent.engine.fit.planner import Plan, plan
from edge_agent.engine.params import Adapter
from edge_agent.errors import ModelLoadError

MIB = 1 << 20


def fetch_model(
    settings: Settings, say: Callable[[str], None], progress: Progress
) -> tuple[Choice, Path]:
    """Choose a model and bring it here; blocks while it downloads. Raises any catalog error."""
    catalog = Catalog.load(settings.models_dir)
    choice = choose(settings.model, settings.models_dir, catalog, available_bytes())
    say(choice.reason)
    if choice.path is not None:
        return choice, choice.path
    if choice.card is None:
        raise ModelLoadError(f"{choice.name} has neither a file nor a card to pull it by.")
    return choice, pull(choice.card, settings.models_dir, progress)


def plan_of(path: Path, settings: Settings, machine: Machine | None = None) -> Plan:
    """How to load the file on this machine; raises ModelLoadError when it does not fit."""
    planned = plan(shape_of(read_gguf(path)), machine or Machine.here(), wishes_of(settings))
    spec = replace(
        planned.spec,
        shared_chunk=settings.chunk,
        speculate=settings.speculate,
        cache_dir=str(prefix_dir(settings) or ""),
        cache_disk_bytes=settings.prefix_disk * MIB,
    )
    return replace(planned, spec=spec)


def prefix_dir(settings: Settings) -> Path | None:
    """Where pinned prefixes outlive the engine; None keeps none."""
    if settings.prefix_disk == 0:
        return None
    return settings.prefix_dir or settings.cache_dir / "prefixes"


def wishes_of(settings: Settings) -> Wishes:
    """What the settings ask of the planner; raises ModelLoadError for a missing adapter."""
    adapters = tuple(adapter_of(text) for text in settings.lora)
    return Wishes(
        ctx_size=settings.ctx_size,
        parallel=settings.parallel,
        batch_size=settings.batch_size,
        threads=settings.threads,
        n_gpu_layers=settings.n_gpu_layers,
        kv_type=settings.kv_type,
        cache_bytes=None if settings.cache_ram is None else settings.cache_ram * MIB,
        adapters=adapters,
        adapter_bytes=sum(Path(adapter.path).stat().st_size for adapter in adapters),
    )


def adapter_of(text: str) -> Adapter:
    """FILE or FILE=SCALE; raises ModelLoadError when there is no such file."""
    name, equals, scale = text.rpartition("=")
    known = _number(scale) if equals else None
    path = Path(name if known is not None else text).expanduser()
    if not path.is_file():
        raise ModelLoadError(f"--lora {text}: {path} is not a file; write FILE or FILE=SCALE.")
    return Adapter(str(path), 1.0 if known is None else known)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
