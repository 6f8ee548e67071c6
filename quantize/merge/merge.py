"""The heart of `merge`: checkpoints and a recipe in, one checkpoint out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.errors import RequestError
from quantize.checkpoint.folder import INDEX, Checkpoint, open_checkpoint
from quantize.checkpoint.safetensors import Stored, header_bytes
from quantize.merge.alike import check_alike
from quantize.merge.recipe import Recipe
from quantize.merge.stream import Mixer, mixer_of
from quantize.progress import Progress, silent
from quantize.whole import whole

RECIPE = "merge_recipe.json"
SHARD_BYTES = 4 << 30
# taken from the first model, as far as it has them
BESIDE = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
    "LICENSE",
)


@dataclass(frozen=True, slots=True)
class Merged:
    path: Path
    n_tensors: int
    n_bytes: int
    shards: int


def merge(
    recipe: Recipe, target: Path, progress: Progress = silent, shard_bytes: int = SHARD_BYTES
) -> Merged:
    """Write the merged checkpoint to the folder `target`, which appears when it is whole.

    Raises RequestError for checkpoints that do not go together or a target that is there,
    BadModelFile for a damaged one, CatalogError for a full disk.
    """
    if target.exists():
        raise RequestError(f"{target} exists: name a folder that does not.")
    paths = (*recipe.models, recipe.base) if recipe.base else recipe.models
    models = [open_checkpoint(path) for path in paths]
    check_alike(models)
    mixer = mixer_of(recipe, models)
    shards = shards_of(models[0], shard_bytes)
    with whole(target, models[0].n_bytes) as part:
        part.mkdir()
        _write_shards(part, shards, mixer, progress)
        _write_beside(part, models[0], recipe)
    n_tensors = len(models[0].tensors)
    return Merged(target, n_tensors, models[0].n_bytes, len(shards))


def shards_of(model: Checkpoint, most: int) -> list[list[Stored]]:
    """The tensors in files of at most `most` bytes, or of one tensor."""
    shards: list[list[Stored]] = [[]]
    for tensor in model.tensors.values():
        held = sum(other.n_bytes for other in shards[-1])
        if shards[-1] and held + tensor.n_bytes > most:
            shards.append([])
        shards[-1].append(tensor)
    return shards


def _write_shards(
    folder: Path, shards: Sequence[Sequence[Stored]], mixer: Mixer, progress: Progress
) -> None:
    total = sum(tensor.n_bytes for shard in shards for tensor in shard)
    placed: dict[str, str] = {}
    done = 0
    for i, shard in enumerate(shards):
        name = _name(i, len(shards))
        entries = [(tensor.name, tensor.kind, tensor.shape) for tensor in shard]
        recipe = json.dumps(mixer.recipe.as_json(), ensure_ascii=False)
        with (folder / name).open("wb") as file:
            file.write(header_bytes(entries, {"format": "pt", "merge": recipe}))
            for tensor in shard:
                placed[tensor.name] = name
                for piece in mixer.pieces(tensor.name):
                    file.write(piece.data)
                    done += piece.nbytes
                    progress("merge", done, total)
    if len(shards) > 1:
        index = {"metadata": {"total_size": total}, "weight_map": placed}
        (folder / INDEX).write_text(json.dumps(index, indent=2), "utf-8")


def _name(i: int, n: int) -> str:
    return "model.safetensors" if n == 1 else f"model-{i + 1:05d}-of-{n:05d}.safetensors"


def _write_beside(folder: Path, first: Checkpoint, recipe: Recipe) -> None:
    for name in BESIDE:
        if (first.folder / name).is_file():
            shutil.copyfile(first.folder / name, folder / name)
    told = json.dumps(recipe.as_json(), ensure_ascii=False, indent=2)
    (folder / RECIPE).write_text(told + "\n", "utf-8")
    (folder / "README.md").write_text(readme(recipe), "utf-8")


def readme(recipe: Recipe) -> str:
    """A model card that names the parents: `convert` carries them into the GGUF."""
    told = recipe.as_json()
    parents = "\n".join(f"- {json.dumps(name)}" for name in told["models"])
    return (
        f"---\nbase_model:\n{parents}\ntags:\n- merge\n---\n\n"
        f"Merged by {told['method']} ({told['source']}). The recipe is in {RECIPE}.\n"
    )
