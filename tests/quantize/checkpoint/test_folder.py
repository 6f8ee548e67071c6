from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_agent.errors import BadModelFile, EdgeAgentError
from quantize.checkpoint.folder import INDEX, enumerated, open_checkpoint
from tests.quantize.checkpoints import LLAMA, write_checkpoint


def test_shards_are_found_through_the_index_or_by_their_names(tmp_path: Path) -> None:
    one = open_checkpoint(write_checkpoint(tmp_path / "one", LLAMA))
    folder = write_checkpoint(tmp_path / "three", LLAMA, shards=3)
    three = open_checkpoint(folder)
    assert set(one.tensors) == set(three.tensors)
    assert one.n_bytes == three.n_bytes
    (folder / INDEX).unlink()
    assert set(open_checkpoint(folder).tensors) == set(one.tensors)


@pytest.mark.parametrize("indexed", [True, False])
def test_a_missing_shard_is_named(tmp_path: Path, indexed: bool) -> None:
    folder = write_checkpoint(tmp_path / "c", LLAMA, shards=3)
    (folder / "model-00002-of-00003.safetensors").unlink()
    if not indexed:
        (folder / INDEX).unlink()
    with pytest.raises(BadModelFile, match=r"lacks model-00002-of-00003\.safetensors"):
        open_checkpoint(folder)


def test_a_tensor_that_only_the_index_has_is_named(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "c", LLAMA, shards=2)
    index = json.loads((folder / INDEX).read_text())
    index["weight_map"]["model.layers.9.extra"] = "model-00001-of-00002.safetensors"
    (folder / INDEX).write_text(json.dumps(index))
    with pytest.raises(BadModelFile, match=r"lacks model\.layers\.9\.extra"):
        open_checkpoint(folder)


def test_an_index_does_not_lead_out_of_its_folder(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "c", LLAMA)
    (folder / INDEX).write_text(json.dumps({"weight_map": {"a": "../other.safetensors"}}))
    with pytest.raises(BadModelFile, match="outside of its folder"):
        open_checkpoint(folder)


def test_what_is_no_checkpoint_is_said_in_one_sentence(tmp_path: Path) -> None:
    def said(folder: Path) -> str:
        with pytest.raises(EdgeAgentError) as caught:
            open_checkpoint(folder)
        return str(caught.value)

    assert "is no folder" in said(tmp_path / "gone")
    assert "no config.json" in said(tmp_path)
    (tmp_path / "config.json").write_text("{")
    assert "not valid JSON" in said(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    assert "holds no model*.safetensors." in said(tmp_path)
    (tmp_path / "pytorch_model.bin").touch()
    assert "safe_serialization" in said(tmp_path)


def test_a_tensor_in_two_files_is_refused(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "c", LLAMA)
    (folder / "model-copy.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(BadModelFile, match="lies both in"):
        open_checkpoint(folder)


def test_long_lists_are_cut() -> None:
    assert enumerated(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
