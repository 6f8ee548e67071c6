"""`convert` against llama.cpp's own converter and against transformers, on small random models.

For each family: every key and every tensor of both GGUFs, and the logits of the converted model
against those of transformers. It needs another Python with torch and transformers, and the sources
of llama.cpp (they are in the source package of llama-cpp-python, below vendor/llama.cpp).

    python benchmarks/convert_check.py --hf-python PYTHON --llama-cpp FOLDER \\
        --tokenizer FOLDER [--work FOLDER]

`--tokenizer` names a folder with the tokenizer.json and tokenizer_config.json of a real Qwen, since
llama.cpp's converter knows byte-level tokenizers by a hash of what they do.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader, quants

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from quantize.context import BATCH, Opening, opened
from quantize.convert.convert import convert
from tests.quantize.checkpoints import (
    LLAMA,
    QWEN2,
    QWEN3,
    write_checkpoint,
    write_sentencepiece,
)

PROMPT_TOKENS = 96
TYPES = ("bf16", "q8_0")
MISTRAL = {**LLAMA, "architectures": ["MistralForCausalLM"], "model_type": "mistral"}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}
MINICPM = {
    **LLAMA,
    "architectures": ["MiniCPMForCausalLM"],
    "model_type": "minicpm",
    "scale_emb": 12,
    "scale_depth": 1.4,
    "dim_model_base": 32,
    "tie_word_embeddings": False,
}


@dataclass(frozen=True, slots=True)
class Case:
    """words: `bpe`, or `spm` for a SentencePiece model. known: transformers can run it."""

    name: str
    config: Mapping[str, Any]
    words: str = "bpe"
    known: bool = True


CASES = (
    Case("qwen2", QWEN2),
    Case("qwen2-tied", {**QWEN2, "tie_word_embeddings": True}),
    Case("qwen2-yarn", {**QWEN2, "rope_scaling": YARN}),
    Case("qwen3", QWEN3),
    Case("qwen3-untied", {**QWEN3, "tie_word_embeddings": False}),
    Case("llama", LLAMA),
    Case("llama-llama3", {**LLAMA, "rope_scaling": LLAMA3}),
    Case("llama-linear", {**LLAMA, "rope_scaling": {"rope_type": "linear", "factor": 2.0}}),
    Case("llama-spm", LLAMA, "spm"),
    Case("mistral", MISTRAL),
    Case("mistral-spm", MISTRAL, "spm"),
    Case("minicpm-spm", MINICPM, "spm", known=False),
)


def write_case(case: Case, folder: Path, tokenizer: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    spm = case.words == "spm"
    more = {"bos_token_id": 1, "eos_token_id": 2} if spm else {"vocab_size": 151_936}
    write_checkpoint(folder, {**case.config, **more}, "BF16", shards=2)
    if spm:
        write_sentencepiece(folder)
        return
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tokenizer / name, folder / name)
    told = {"temperature": 0.6, "top_k": 20, "top_p": 0.95, "repetition_penalty": 1.05}
    (folder / "generation_config.json").write_text(json.dumps(told))


def differences(ours: GGUFReader, theirs: GGUFReader) -> Iterator[str]:
    """Every key and tensor that is not the same in both, one line each."""
    keys = [key for key in {**ours.fields, **theirs.fields} if not key.startswith("GGUF.")]
    for key in keys:
        values = [_value(file, key) for file in (ours, theirs)]
        if values[0] != values[1]:
            yield f"{key}: {_short(values[0])} here, {_short(values[1])} there"
    tensors = [{t.name: t for t in file.tensors} for file in (ours, theirs)]
    for name in {**tensors[0], **tensors[1]}:
        found = [file.get(name) for file in tensors]
        if None in found:
            yield f"{name}: only {'there' if found[0] is None else 'here'}"
        elif found[0].tensor_type != found[1].tensor_type:
            yield f"{name}: {found[0].tensor_type.name} here, {found[1].tensor_type.name} there"
        elif not np.array_equal(np.array(found[0].data), np.array(found[1].data)):
            numbers = [quants.dequantize(t.data, t.tensor_type) for t in found]
            yield f"{name}: numbers differ by up to {np.abs(numbers[0] - numbers[1]).max():.2g}"


def _value(file: GGUFReader, key: str) -> Any:
    field = file.get_field(key)
    return None if field is None else field.contents()


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) < 60 else text[:57] + "..."


def our_logits(path: Path, ids: list[int]) -> np.ndarray:
    with opened(Opening(path, 256, 1, exact=True)) as model:
        parts = [
            model.read(ids[at : at + BATCH], at, len(ids[at : at + BATCH])).copy()
            for at in range(0, len(ids), BATCH)
        ]
    return np.concatenate(parts)


def check(case: Case, given: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Cells of the case's row, and the differences from llama.cpp's converter."""
    folder = given.work / case.name
    write_case(case, folder, given.tokenizer)
    ours, theirs = given.work / f"{case.name}.gguf", given.work / f"{case.name}.theirs.gguf"
    counts, lines = [], []
    for kind in given.type or TYPES:
        convert(folder, ours, kind)
        script = str(given.llama_cpp / "convert_hf_to_gguf.py")
        command = [given.hf_python, script, str(folder), "--outfile", str(theirs)]
        done = subprocess.run(
            [*command, "--outtype", kind], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{case.name}: {done.stderr[-2000:]}")
        found = list(differences(GGUFReader(ours), GGUFReader(theirs)))
        n_keys, n_tensors = len(GGUFReader(ours).fields), len(GGUFReader(ours).tensors)
        counts.append(f"{n_keys} keys, {n_tensors} tensors: {len(found)} differ")
        lines += [line for line in found if line not in lines]
    return [case.name, *counts, *logit_cells(case, folder, given)], lines


def logit_cells(case: Case, folder: Path, given: argparse.Namespace) -> list[str]:
    if not case.known:
        return ["not in transformers", ""]
    exact = given.work / f"{case.name}.f32.gguf"
    convert(folder, exact, "f32")
    n_vocab = json.loads((folder / "config.json").read_text())["vocab_size"]
    ids = [int(id) for id in np.random.default_rng(5).integers(0, n_vocab, PROMPT_TOKENS)]
    told, target = given.work / "ids.json", given.work / "logits.npy"
    told.write_text(json.dumps(ids))
    script = str(Path(__file__).with_name("hf_logits.py"))
    subprocess.run(
        [given.hf_python, script, str(folder), str(told), str(target)],
        check=True,
        capture_output=True,
    )
    theirs, ours = np.load(target), our_logits(exact, ids)
    apart = np.abs(ours - theirs).max()
    same = (ours.argmax(axis=1) == theirs.argmax(axis=1)).mean()
    return [f"{apart:.1e} of {np.abs(theirs).max():.1f}", f"{same:.0%}"]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hf-python", required=True)
    parser.add_argument("--llama-cpp", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("convert-check"))
    parser.add_argument("--case", action="append", help="only these; may be repeated")
    parser.add_argument("--type", action="append", help="only these; may be repeated")
    given = parser.parse_args(arguments)
    given.work.mkdir(parents=True, exist_ok=True)
    heads = ["model", *(given.type or TYPES), "largest difference of logits", "same top token"]
    print("| " + " | ".join(heads) + " |")
    print("| " + " | ".join("---" for _ in heads) + " |")
    told: dict[str, list[str]] = {}
    for case in CASES:
        if not given.case or case.name in given.case:
            cells, lines = check(case, given)
            print("| " + " | ".join(cells) + " |", flush=True)
            for line in lines:
                told.setdefault(line, []).append(case.name)
    for line, names in told.items():
        print(f"- {line} ({', '.join(names)})")


if __name__ == "__main__":
    main(sys.argv[1:])
