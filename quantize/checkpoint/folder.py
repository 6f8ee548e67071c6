"""A checkpoint's folder: its configuration and where each of its tensors lies."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_agent.errors import BadModelFile, RequestError
from quantize.checkpoint.safetensors import Stored, read_header

INDEX = "model.safetensors.index.json"
SHARD = re.compile(r"^(.*)-(\d{5})-of-(\d{5})\.safetensors$")
NAMED = 3  # missing things that are named in one sentence


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """config: config.json. tensors: by name, file by file, in the order they lie there."""

    folder: Path
    config: Mapping[str, Any]
    tensors: Mapping[str, Stored]

    @property
    def n_bytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.n_bytes for tensor in self.tensors.values())


def open_checkpoint(folder: Path) -> Checkpoint:
    """Read the configuration and the headers; no weights.

    Raises RequestError where `folder` is no checkpoint, BadModelFile where a part of it is missing,
    cut or damaged.
    """
    if not folder.is_dir():
        raise RequestError(f"{folder} is no folder: name the one that holds config.json.")
    if not (folder / "config.json").is_file():
        raise RequestError(f"{folder} holds no config.json: it is no Hugging Face checkpoint.")
    config = read_json(folder / "config.json")
    tensors: dict[str, Stored] = {}
    for path in _files(folder):
        header, _ = read_header(path)
        for name, stored in header.items():
            if name in tensors:
                raise BadModelFile(f"{name} lies both in {tensors[name].path} and in {path}.")
            tensors[name] = stored
    _check_index(folder, tensors)
    return Checkpoint(folder, config, tensors)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises BadModelFile."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadModelFile(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise BadModelFile(f"{path} is not valid JSON: {error}.") from None
    if not isinstance(found, dict):
        raise BadModelFile(f"{path} is not a JSON object.")
    return found


def _files(folder: Path) -> list[Path]:
    wanted = sorted(set(_weight_map(folder).values())) or _unindexed(folder)
    missing = [name for name in wanted if not (folder / name).is_file()]
    if missing:
        raise BadModelFile(
            f"{folder} lacks {enumerated(missing)}: fetch the missing part of the checkpoint."
        )
    return [folder / name for name in wanted]


def _weight_map(folder: Path) -> dict[str, str]:
    if not (folder / INDEX).is_file():
        return {}
    found = read_json(folder / INDEX).get("weight_map")
    if not isinstance(found, dict):
        raise BadModelFile(f"{folder / INDEX} has no weight_map: fetch it again.")
    if any("/" in str(name) or "\\" in str(name) for name in found.values()):
        raise BadModelFile(f"{folder / INDEX} names files outside of its folder.")
    return {str(name): str(file) for name, file in found.items()}


def _unindexed(folder: Path) -> list[str]:
    names = sorted(path.name for path in folder.glob("model*.safetensors"))
    if not names:
        other = any(folder.glob("*.bin")) or any(folder.glob("*.pt"))
        advice = ": save it again with safe_serialization=True" if other else ""
        raise RequestError(f"{folder} holds no model*.safetensors{advice}.")
    if match := SHARD.match(names[0]):
        stem, _, total = match.groups()
        return [f"{stem}-{i:05d}-of-{total}.safetensors" for i in range(1, int(total) + 1)]
    return names


def _check_index(folder: Path, tensors: Mapping[str, Stored]) -> None:
    lacking = [name for name in _weight_map(folder) if name not in tensors]
    if lacking:
        raise BadModelFile(f"{folder} lacks {enumerated(lacking)}, which its index promises.")


def enumerated(names: list[str]) -> str:
    """`a, b, c and 4 more`."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
