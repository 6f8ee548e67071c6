"""`edge-agent plan`: what would be chosen, told without loading anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .shell import Shell

SMALL = ("plan", "--model", "smollm2-135m-instruct")
MIB = 1 << 20


def test_the_json_accounts_for_every_byte(shell: Shell, smollm2_path: Path) -> None:
    done = shell.run(*SMALL, "--json", "--ctx-size", "4096", "--kv-type", "q8_0", "--threads", "1")
    told = json.loads(done.stdout)
    load, host = told["load"], told["bytes"]["host"]
    assert (load["n_ctx"], load["kv_type"], load["n_threads"]) == (4096, "q8_0", 1)
    assert load["path"] == str(smollm2_path)
    assert load["cache_dir"] == str(shell.folder / "cache" / "prefixes")
    assert sum(n for part, n in host.items() if part != "total") == host["total"]
    assert host["total"] <= told["machine"]["available_bytes"]
    assert "4096 tokens of context in q8_0" in told["reason"]


def test_a_person_sees_a_table_and_the_reason(shell: Shell, smollm2_path: Path) -> None:
    table = shell.inside(*SMALL, "--parallel", "2").stdout
    for word in ("context, tokens", "KV type", "weights", "kv", "compute", "available", "total"):
        assert word in table
    assert "2 sequences at once" in table


def test_what_is_not_here_is_not_fetched(shell: Shell, tmp_path: Path) -> None:
    empty = str(tmp_path / "empty")
    sentence = shell.refused(*SMALL, EDGE_AGENT_MODELS_DIR=empty)
    assert "edge-agent pull smollm2-135m-instruct" in sentence


def test_the_settings_of_the_engine_reach_the_plan(shell: Shell, smollm2_path: Path) -> None:
    done = shell.inside(
        *SMALL,
        "--json",
        EDGE_AGENT_CHUNK="32",
        EDGE_AGENT_SPECULATE="false",
        EDGE_AGENT_CACHE_RAM="11",
        EDGE_AGENT_PREFIX_DISK="3",
        EDGE_AGENT_PREFIX_DIR=str(shell.folder / "mine"),
    )
    load = json.loads(done.stdout)["load"]
    assert (load["shared_chunk"], load["speculate"]) == (32, False)
    assert (load["cache_bytes"], load["cache_disk_bytes"]) == (11 * MIB, 3 * MIB)
    assert load["cache_dir"] == str(shell.folder / "mine")


def test_no_disk_for_prefixes_is_no_folder(shell: Shell, smollm2_path: Path) -> None:
    done = shell.inside(*SMALL, "--json", EDGE_AGENT_PREFIX_DISK="0")
    assert json.loads(done.stdout)["load"]["cache_dir"] == ""


def test_llama_servers_words_for_the_cells(shell: Shell, smollm2_path: Path) -> None:
    same = shell.inside(*SMALL, "--json", "--cache-type-k", "q8_0", "--cache-type-v", "q8_0")
    assert json.loads(same.stdout)["load"]["kv_type"] == "q8_0"
    sentence = shell.refused(*SMALL, "--cache-type-k", "q8_0", "--cache-type-v", "f16")
    assert "name one type" in sentence and "f16 and q8_0" in sentence
    assert "q4_0" in shell.refused(*SMALL, "--cache-type-k", "q4_0")


def test_adapters_with_their_scales(shell: Shell, smollm2_path: Path, tmp_path: Path) -> None:
    odd = tmp_path / "a=b.gguf"
    odd.write_bytes(bytes(5 * MIB))
    done = shell.inside(
        *SMALL, "--json", "--lora", odd, "--lora", f"{odd}=0.5", "--lora-scaled", f"{odd}:-2"
    )
    told = json.loads(done.stdout)
    assert told["load"]["adapters"] == [
        {"path": str(odd), "scale": scale} for scale in (1.0, 0.5, -2.0)
    ]
    assert told["bytes"]["host"]["adapters"] == 15 * MIB


@pytest.mark.parametrize("flag", ["--lora", "--lora-scaled"])
def test_an_adapter_that_is_not_there(shell: Shell, smollm2_path: Path, flag: str) -> None:
    assert "is not a file" in shell.refused(*SMALL, flag, "/nowhere/tuned.gguf:1")


def test_a_scaled_adapter_needs_a_scale(shell: Shell) -> None:
    assert "FILE:SCALE" in shell.refused(*SMALL, "--lora-scaled", "tuned.gguf")
