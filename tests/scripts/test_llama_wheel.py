from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

import llama_wheel
from llama_wheel import Machine, Recipe, SetupError
from tests.patience import HANG_S, is_gone

from ..signals import heeds_ctrl_c

LAPTOP = Machine("Linux", "x86_64", "amx_int8 avx2 avx512f", nvcc=None, has_nvidia_gpu=False)
RECIPE = Recipe("0.3.36", "cpu", "/usr/bin/c++", "g++ 12.2", "-mno-amx-tile", "-DX=1", LAPTOP)


@pytest.mark.parametrize(
    ("machine", "backend"),
    [
        (LAPTOP, "cpu"),
        (Machine("Darwin", "arm64", "", None, False), "metal"),
        (Machine("Darwin", "x86_64", "", None, False), "cpu"),
        (Machine("Linux", "aarch64", "", "/usr/local/cuda/bin/nvcc", True), "cuda"),
        (Machine("Linux", "x86_64", "", "/usr/bin/nvcc", False), "cpu"),
        (Machine("Linux", "x86_64", "", None, True), "cpu"),
    ],
)
def test_the_backend_follows_the_machine(machine: Machine, backend: str) -> None:
    assert llama_wheel.choose_backend(machine, None) == backend


def test_a_person_may_choose_the_backend_and_hears_what_it_needs() -> None:
    mac = Machine("Darwin", "arm64", "", None, False)
    assert llama_wheel.choose_backend(mac, "cpu") == "cpu"
    with pytest.raises(SetupError, match="is not one of cpu, metal, cuda"):
        llama_wheel.choose_backend(mac, "vulkan")
    with pytest.raises(SetupError, match="install the CUDA toolkit"):
        llama_wheel.choose_backend(LAPTOP, "cuda")


@pytest.mark.parametrize(
    "change",
    [
        {"version": "0.3.37"},
        {"backend": "cuda"},
        {"compiler_version": "g++ 13"},
        {"flags": ""},
        {"cmake_args": "-DX=2"},
        {"machine": dataclasses.replace(LAPTOP, cpu_flags="avx2")},
        {"machine": dataclasses.replace(LAPTOP, arch="aarch64")},
    ],
)
def test_the_key_changes_with_whatever_changes_the_build(change: dict[str, object]) -> None:
    assert dataclasses.replace(RECIPE, **change).key != RECIPE.key  # type: ignore[arg-type]


def test_the_key_is_the_same_for_the_same_recipe() -> None:
    assert dataclasses.replace(RECIPE).key == RECIPE.key


def test_processor_flags_are_read_in_any_order(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("processor\t: 0\nflags\t\t: avx2 amx_int8 fma\n")
    two.write_text("processor\t: 0\nflags\t\t: fma avx2 amx_int8\n")
    assert llama_wheel.cpu_flags(one) == llama_wheel.cpu_flags(two) == "amx_int8 avx2 fma"
    assert llama_wheel.cpu_flags(tmp_path / "none")


def test_this_machines_plan_keeps_amx_out_on_x86_linux() -> None:
    recipe = llama_wheel.plan("0.3.36", {"EDGE_AGENT_BUILD": "cpu", "PATH": os.environ["PATH"]})
    if recipe.machine.is_x86_linux:
        assert recipe.flags.split() == list(llama_wheel.NO_AMX)
    else:
        assert recipe.flags == ""


def test_a_persons_flags_are_kept() -> None:
    told = {"CFLAGS": "-O3", "CMAKE_BUILD_PARALLEL_LEVEL": "7"}
    made = llama_wheel.build_environment(RECIPE, told)
    assert made["CFLAGS"] == "-O3 -mno-amx-tile"
    assert made["CXXFLAGS"] == "-mno-amx-tile"
    assert made["CMAKE_BUILD_PARALLEL_LEVEL"] == "7"
    assert made["CMAKE_ARGS"] == "-DX=1"


def test_no_compiler_is_one_sentence_naming_the_package() -> None:
    with pytest.raises(SetupError, match=r"No working C\+\+ compiler .*run `"):
        llama_wheel.find_compiler({"CXX": "no-such-compiler"})


def test_a_cached_wheel_is_taken_and_nothing_is_built(tmp_path: Path) -> None:
    wheel = tmp_path / RECIPE.key / "llama_cpp_python-0.3.36-py3-none-linux_x86_64.whl"
    wheel.parent.mkdir()
    wheel.write_bytes(b"wheel")
    assert llama_wheel.wheel_for(RECIPE, tmp_path, Path("/no/such/python"), {}) == wheel


def test_a_failed_build_shows_its_last_lines_and_caches_nothing(tmp_path: Path) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho the linker is out of memory\nexit 3\n")
    script.chmod(0o755)
    with pytest.raises(SetupError, match="the linker is out of memory"):
        llama_wheel.wheel_for(RECIPE, tmp_path / "cache", script, dict(os.environ))
    assert llama_wheel.cached_wheel(RECIPE, tmp_path / "cache") is None
    assert not list((tmp_path / "cache").glob(".build-*"))


def test_two_that_want_the_same_wheel_build_it_once(tmp_path: Path) -> None:
    script, built = tmp_path / "python", tmp_path / "built"
    script.write_text(
        f"#!/bin/sh\necho once >> {built}\nsleep 0.5\n"
        'while [ "$1" != "--wheel-dir" ]; do shift; done\n: > "$2/llama.whl"\n'
    )
    script.chmod(0o755)
    found: list[Path] = []

    def ask() -> None:
        found.append(llama_wheel.wheel_for(RECIPE, tmp_path / "c", script, dict(os.environ)))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG_S)
    assert built.read_text() == "once\n"
    assert found == [tmp_path / "c" / RECIPE.key / "llama.whl"] * 2


def test_an_interrupted_build_leaves_no_child(tmp_path: Path) -> None:
    code = (  # the number is told when the build is being watched, not while it is being started
        "import sys, llama_wheel, pathlib, os\n"
        "llama_wheel.watched(['sh', '-c', 'sleep 1; echo $$ > pid; sleep 60; sleep 60'],"
        " pathlib.Path('log'), 'building', os.environ)\n"
    )
    scripts = str(Path(llama_wheel.__file__).parent)
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": scripts},
        stderr=subprocess.DEVNULL,
        preexec_fn=heeds_ctrl_c,
    )
    pid = int(_wait_for(tmp_path / "pid"))
    child.send_signal(signal.SIGINT)
    child.wait(HANG_S)
    _wait_until(lambda: is_gone(pid), "the build lives on")


def test_ctrl_c_in_the_middle_of_starting_a_build_leaves_no_child(tmp_path: Path) -> None:
    mark = f"build of {tmp_path}"
    code = (
        "import sys, llama_wheel, pathlib, os, signal\n"
        "def began(frame, event, called):\n"
        "    if event == 'c_return' and called.__name__ == 'fork_exec':\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.setprofile(began)\n"
        f"llama_wheel.watched(['sh', '-c', 'sleep 60; sleep 60', {mark!r}],"
        " pathlib.Path('log'), 'building', os.environ)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(llama_wheel.__file__).parent)},
        capture_output=True,
        text=True,
        timeout=HANG_S,
        preexec_fn=heeds_ctrl_c,
        check=False,
    )
    assert "KeyboardInterrupt" in done.stderr
    _wait_until(lambda: not _running(mark), "the build lives on")


def _running(mark: str) -> list[int]:
    """The processes that were started with this word."""
    found = psutil.process_iter(["cmdline"])
    return [process.pid for process in found if mark in (process.info["cmdline"] or ())]


def _wait_for(path: Path) -> str:
    _wait_until(lambda: path.exists() and bool(path.read_text().strip()), f"{path} never came")
    return path.read_text()


def _wait_until(condition: Callable[[], bool], complaint: str) -> None:
    end = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < end, complaint
        time.sleep(0.05)
