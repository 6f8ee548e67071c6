from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from edge_agent.doctor.accelerator import on_accelerator
from edge_agent.doctor.build import Build, build_of, features_of, on_build
from edge_agent.doctor.finding import Finding
from edge_agent.doctor.processor import flags_of, on_processor
from edge_agent.engine.fit.machine import Gpu

INFO = "CPU : SSE3 = 1 | AVX = 1 | AVX2 = 1 | AVX512 = 0 | REPACK = 1 | CUDA : ARCHS = 890 | "
CPUINFO = "processor\t: {}\nflags\t\t: fpu avx avx2 {}\n\n"
PLAIN = Build(("AVX", "AVX2"), offloads=False)


def dying(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_the_features_that_are_on_are_read_from_llama_cpps_line() -> None:
    assert features_of(INFO) == ("SSE3", "AVX", "AVX2", "REPACK")


def test_this_build_can_be_asked() -> None:
    build = build_of()
    assert isinstance(build, Build)
    assert build.features and not build.wrong


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "SIGILL"),
        ("raise OSError('libllama.so: no such file')", "libllama.so"),
    ],
)
def test_a_build_that_cannot_be_loaded_is_a_problem_with_its_reason(code: str, told: str) -> None:
    found = build_of(dying(code))
    assert isinstance(found, Finding)
    assert found.state == "problem" and told in found.told and "pip install" in found.fix


@pytest.mark.skipif(sys.platform != "linux", reason="AMX is a matter of Linux here")
def test_amx_in_the_build_is_a_problem_with_the_flags_that_cure_it() -> None:
    states = {found.name: found for found in on_build(Build(("AVX", "AMX_INT8"), False))}
    assert states["AMX"].state == "problem"
    assert "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16" in states["AMX"].fix
    assert [found.state for found in on_build(PLAIN)] == ["good"]


def test_a_binding_of_another_version_is_a_problem() -> None:
    (found,) = on_build(Build(("AVX",), False, wrong="0.2 is installed but 0.3 is needed."))
    assert (found.state, found.told) == ("problem", "0.2 is installed but 0.3 is needed.")


def test_only_what_every_core_can_do_counts() -> None:
    text = CPUINFO.format(0, "avx512f fma") + CPUINFO.format(1, "fma")
    assert flags_of(text) == {"fpu", "avx", "avx2", "fma"}
    assert flags_of("") == frozenset()


def test_what_the_processor_has_and_the_build_does_not_use_is_named(tmp_path: Path) -> None:
    there = tmp_path / "cpuinfo"
    there.write_text(CPUINFO.format(0, "fma avx512f"))
    cores, sets = on_processor(PLAIN, os.cpu_count() or 1, there)
    assert "cores" in cores.told
    assert sets.state == "note" and "FMA, AVX512" in sets.told and "pip install" in sets.fix
    full = Build(("AVX", "AVX2", "FMA", "AVX512"), False)
    assert on_processor(full, 2, there)[1].state == "good"
    assert len(on_processor(full, 2, tmp_path / "absent")) == 1


def test_an_accelerator_that_is_not_used_is_told_with_what_to_do(tmp_path: Path) -> None:
    device = tmp_path / "nvidia0"
    device.touch()
    (unused,) = on_accelerator(PLAIN, (), (device,))
    assert unused.state == "note" and "GGML_CUDA" in unused.fix
    (unseen,) = on_accelerator(Build(("AVX",), offloads=True), (), (device,))
    assert unseen.state == "problem" and "nvidia-smi" in unseen.fix
    (used,) = on_accelerator(Build((), True), (Gpu("CUDA0", 1 << 30, 2 << 30, False),), (device,))
    assert used.state == "good" and "CUDA0 (1.0 of 2.0 GiB free)" in used.told
