from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from edge_agent.errors import RequestError
from quantize.__main__ import main
from quantize.checkpoint.folder import Checkpoint, open_checkpoint
from quantize.checkpoint.safetensors import to_floats
from quantize.convert.convert import convert
from quantize.merge.merge import RECIPE, merge
from quantize.merge.methods import slerp
from quantize.merge.recipe import SOURCES, Recipe, Rule
from tests.quantize.checkpoints import LLAMA, write_byte_bpe, write_checkpoint

NORM, UP = "model.norm.weight", "model.layers.1.mlp.up_proj.weight"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Two models and what they began as, in float32; the second in shards."""
    folder = tmp_path_factory.mktemp("models")
    made = tuple(
        write_checkpoint(folder / name, LLAMA, "F32", shards, seed)
        for name, shards, seed in (("a", 1, 1), ("b", 2, 2), ("base", 1, 3))
    )
    for path in made:
        write_byte_bpe(path)
    return made[0], made[1], made[2]


def values(model: Checkpoint | Path, name: str) -> np.ndarray:
    stored = (open_checkpoint(model) if isinstance(model, Path) else model).tensors[name]
    raw = np.concatenate([piece.copy() for piece in stored.rows(1)])
    return to_floats(raw, stored.kind).reshape(stored.shape)


def test_each_method_makes_a_checkpoint_that_can_be_converted(
    models: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    a, b, base = models
    for method in SOURCES:
        needs = method in ("task-arithmetic", "ties", "dare")
        recipe = Recipe(method, (a, b), (0.5, 0.5), base if needs else None)
        made = merge(recipe, tmp_path / method)
        told = json.loads((made.path / RECIPE).read_text())
        assert told["models"] == ["a", "b"]
        assert told["source"] == SOURCES[method]
        assert convert(made.path, tmp_path / f"{method}.gguf").n_tensors == made.n_tensors


def test_the_numbers_are_those_of_the_method(
    models: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    a, b, base = models
    one, two, began = (values(path, UP) for path in models)
    line = merge(Recipe("linear", (a, b), (3.0, 1.0)), tmp_path / "line")
    assert np.allclose(values(line.path, UP), 0.75 * one + 0.25 * two, atol=1e-6)
    arc = merge(Recipe("slerp", (a, b), (1.0, 3.0)), tmp_path / "arc")
    assert np.allclose(values(arc.path, UP), slerp(one, two, 0.75), atol=1e-6)
    task = merge(Recipe("task-arithmetic", (a, b), (1.0, 1.0), base, scale=0.5), tmp_path / "task")
    wanted = began + 0.5 * ((one - began) + (two - began))
    assert np.allclose(values(task.path, UP), wanted, atol=1e-5)
    all_kept = Recipe("dare", (a,), (1.0,), base, density=1.0)
    assert np.allclose(values(merge(all_kept, tmp_path / "all").path, UP), one, atol=1e-5)


def test_ties_trims_over_the_whole_model(models: tuple[Path, Path, Path], tmp_path: Path) -> None:
    a, _, base = models
    made = open_checkpoint(merge(Recipe("ties", (a,), (1.0,), base), tmp_path / "ties").path)
    moved, left = [], []
    for name in made.tensors:
        task = np.abs(values(a, name) - values(base, name))
        changed = values(made, name) != values(base, name)
        moved.append(task[changed])
        left.append(task[~changed])
    kept, dropped = np.concatenate(moved), np.concatenate(left)
    assert len(kept) / (len(kept) + len(dropped)) == pytest.approx(0.2, abs=0.001)
    assert kept.min() > dropped.max()


def test_dare_draws_the_same_again_and_otherwise_with_another_seed(
    models: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    a, b, base = models
    found = [
        values(merge(Recipe("dare", (a, b), (1, 1), base, seed=s), tmp_path / f"{i}").path, UP)
        for i, s in enumerate((1, 1, 2))
    ]
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_layers_can_have_weights_of_their_own(
    models: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    a, b, _ = models
    rules = (Rule("model.layers.*", (0.0, 1.0)), Rule("model.layers.0.*", (1.0, 0.0)))
    made = merge(Recipe("linear", (a, b), (1.0, 1.0), rules=rules), tmp_path / "out").path
    assert np.array_equal(values(made, UP), values(b, UP))
    first = UP.replace("layers.1", "layers.0")
    assert np.array_equal(values(made, first), values(a, first))
    assert np.allclose(values(made, NORM), (values(a, NORM) + values(b, NORM)) / 2)


def test_large_results_come_in_shards_that_the_library_reads(
    models: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    a, b, _ = models
    made = merge(Recipe("linear", (a, b), (1, 1)), tmp_path / "out", shard_bytes=200_000)
    assert made.shards > 2
    assert len(open_checkpoint(made.path).tensors) == made.n_tensors
    file = sorted(made.path.glob("*.safetensors"))[0]
    with safe_open(str(file), framework="np") as shard:
        assert json.loads(shard.metadata()["merge"])["method"] == "linear"
        name = next(iter(shard.keys()))
        assert np.array_equal(shard.get_tensor(name), values(made.path, name))


def test_other_words_are_refused_by_name(models: tuple[Path, Path, Path], tmp_path: Path) -> None:
    a, b, _ = models
    other = tmp_path / "other"
    shutil.copytree(b, other)
    text = (other / "tokenizer.json").read_text()
    (other / "tokenizer.json").write_text(text.replace("<think>", "<muse>"))
    with pytest.raises(RequestError, match=r"is '<think>' in .*a and '<muse>' in .*other"):
        merge(Recipe("linear", (a, other), (1, 1)), tmp_path / "out")
    more = write_checkpoint(tmp_path / "more", {**LLAMA, "vocab_size": 400})
    with pytest.raises(RequestError, match=r"a vocabulary of 384 tokens and .*more one of 400"):
        merge(Recipe("linear", (a, more), (1, 1)), tmp_path / "out")
    deep = write_checkpoint(tmp_path / "deep", {**LLAMA, "num_hidden_layers": 3})
    with pytest.raises(RequestError, match=r"a lacks model\.layers\.2"):
        merge(Recipe("linear", (a, deep), (1, 1)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_interrupted_merge_leaves_nothing(
    models: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    def stop(_: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        merge(Recipe("linear", models[:2], (1, 1)), tmp_path / "out", stop)
    assert list(tmp_path.iterdir()) == []


def test_recipes_that_make_no_sense_are_said(models: tuple[Path, Path, Path]) -> None:
    a, b, base = models
    for wrong, said in (
        (("mix", (a, b), (1.0, 1.0)), "is no method"),
        (("linear", (a,), (1.0,)), "more models"),
        (("slerp", (a, b, base), (1.0, 1.0, 1.0)), "between two"),
        (("ties", (a, b), (1.0, 1.0)), "needs --base"),
        (("linear", (a, b), (1.0, 1.0), base), "knows no --base"),
        (("linear", (a, b), (1.0,)), "2 models and 1 weights"),
        (("linear", (a, b), (1.0, -1.0)), "more than 0"),
        (("ties", (a, b), (1.0, 1.0), base, 1.5), "not between 0 and 1"),
    ):
        with pytest.raises(RequestError, match=said):
            Recipe(*wrong)  # type: ignore[arg-type]


def test_the_command_line_merges(
    models: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, _ = models
    words = ["merge", str(a), str(b), str(tmp_path / "out"), "--method", "linear"]
    words += ["--weights", ".7,.3", "--weights-for", "model.layers.0.*=1,0"]
    assert main(words) == 0
    assert "linear of 2" in capsys.readouterr().out
    assert main(words) == 1
    assert "exists" in capsys.readouterr().err
