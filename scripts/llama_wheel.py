"""Builds llama-cpp-python for this machine once, and keeps the wheel for every later environment.

Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BACKENDS = ("cpu", "metal", "cuda")
# On processors with AMX the kernels of this release fault in the first decode; without AMX the
# repacked AVX-512 kernels do the same work. Reported as ggml-org/llama.cpp#20824.
NO_AMX = ("-mno-amx-tile", "-mno-amx-int8", "-mno-amx-bf16")
CMAKE_FLAGS = {
    "cpu": ("-DGGML_METAL=OFF", "-DGGML_CUDA=OFF"),
    "metal": ("-DGGML_METAL=ON",),
    "cuda": ("-DGGML_CUDA=ON", "-DCMAKE_CUDA_ARCHITECTURES=native"),
}
BYTES_PER_COMPILE = 1_500_000_000
TICK_S = 15.0
TAIL_LINES = 25


class SetupError(Exception):
    """One sentence saying what is missing and what to do."""


@dataclass(frozen=True)
class Machine:
    """What decides how the library is built. system and arch as the platform module names them."""

    system: str
    arch: str
    cpu_flags: str
    nvcc: str | None
    has_nvidia_gpu: bool

    @property
    def is_x86_linux(self) -> bool:
        return self.system == "Linux" and self.arch in ("x86_64", "AMD64")


@dataclass(frozen=True)
class Recipe:
    """One build: the same recipe on the same machine gives the same wheel."""

    version: str
    backend: str
    compiler: str
    compiler_version: str
    flags: str
    cmake_args: str
    machine: Machine

    @property
    def key(self) -> str:
        """Folder name in the cache: readable, and different whenever the build would differ."""
        told = json.dumps(
            [
                self.backend,
                self.compiler_version,
                self.flags,
                self.cmake_args,
                self.machine.cpu_flags,
                platform.libc_ver(),
            ]
        )
        digest = hashlib.sha256(told.encode()).hexdigest()[:16]
        place = f"{self.machine.system}-{self.machine.arch}".lower()
        return f"llama-cpp-python-{self.version}-{place}-{self.backend}-{digest}"


def this_machine() -> Machine:
    """Looks at the machine this runs on; takes milliseconds where there is no GPU driver."""
    nvcc = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")
    return Machine(platform.system(), platform.machine(), cpu_flags(), nvcc, has_nvidia_gpu())


def cpu_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's instruction sets, sorted; its name where they are not told."""
    try:
        text = cpuinfo.read_text(errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", text, re.MULTILINE)
    return " ".join(sorted(found.group(1).split())) if found else platform.machine()


def has_nvidia_gpu() -> bool:
    """A GPU that a driver answers for, or a Jetson."""
    if Path("/etc/nv_tegra_release").exists():
        return True
    if not shutil.which("nvidia-smi"):
        return False
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True)
    return listed.returncode == 0 and "GPU" in listed.stdout


def choose_backend(machine: Machine, wanted: str | None) -> str:
    """What EDGE_AGENT_BUILD says, else Metal on Apple silicon, CUDA with a GPU, else CPU."""
    if wanted:
        if wanted not in BACKENDS:
            raise SetupError(f"EDGE_AGENT_BUILD={wanted} is not one of {', '.join(BACKENDS)}.")
        if wanted == "cuda" and machine.nvcc is None:
            raise SetupError("EDGE_AGENT_BUILD=cuda needs nvcc: install the CUDA toolkit.")
        return wanted
    if machine.system == "Darwin" and machine.arch == "arm64":
        return "metal"
    return "cuda" if machine.nvcc and machine.has_nvidia_gpu else "cpu"


def find_compiler(environment: Mapping[str, str]) -> str:
    """The C++ compiler CMake will take. Raises SetupError naming the package to install."""
    candidates = [environment["CXX"]] if environment.get("CXX") else ["c++", "g++", "clang++"]
    for name in candidates:
        path = shutil.which(name.split()[0])
        if path and _works(path):
            return path
    if platform.system() == "Darwin":
        hint = "xcode-select --install"
    elif shutil.which("apt-get"):
        hint = "sudo apt-get install build-essential"
    elif shutil.which("dnf"):
        hint = "sudo dnf install gcc-c++ make"
    else:
        hint = "install g++ or clang++"
    raise SetupError(f"No working C++ compiler ({', '.join(candidates)}): run `{hint}`.")


def _works(compiler: str) -> bool:
    return _accepts(compiler, ())


def _accepts(compiler: str, flags: Sequence[str]) -> bool:
    command = [compiler, *flags, "-x", "c++", "-fsyntax-only", "-"]
    code = "#include <vector>\nint main() { return 0; }\n"
    return subprocess.run(command, input=code, text=True, capture_output=True).returncode == 0


def plan(version: str, environment: Mapping[str, str]) -> Recipe:
    """How this machine builds that version. Raises SetupError."""
    machine = this_machine()
    backend = choose_backend(machine, environment.get("EDGE_AGENT_BUILD"))
    compiler = find_compiler(environment)
    told = subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout
    flags = NO_AMX if machine.is_x86_linux and _accepts(compiler, NO_AMX) else ()
    arguments = [environment.get("CMAKE_ARGS", ""), *CMAKE_FLAGS[backend]]
    return Recipe(
        version,
        backend,
        compiler,
        told.partition("\n")[0],
        " ".join(flags),
        " ".join(part for part in arguments if part),
        machine,
    )


def cached_wheel(recipe: Recipe, cache: Path) -> Path | None:
    """The wheel of an earlier build by the same recipe."""
    return next(iter(sorted((cache / recipe.key).glob("*.whl"))), None)


def wheel_for(recipe: Recipe, cache: Path, python: Path, environment: Mapping[str, str]) -> Path:
    """The cached wheel, built first if need be; two that ask at once build it once."""
    with locked(cache / f"{recipe.key}.lock"):
        return cached_wheel(recipe, cache) or _build(recipe, cache, python, environment)


def _build(recipe: Recipe, cache: Path, python: Path, environment: Mapping[str, str]) -> Path:
    say(
        f"Building llama-cpp-python {recipe.version} for {recipe.backend} with "
        f"{recipe.compiler_version}. Once per machine; 2 cores take about 5 minutes."
    )
    log = cache / f"{recipe.key}.log"
    with tempfile.TemporaryDirectory(dir=cache, prefix=".build-") as folder:
        command = [str(python), "-m", "pip", "wheel", "--verbose", "--no-input", "--no-deps"]
        command += ["--no-cache-dir", "--disable-pip-version-check"]
        command += ["--no-binary", "llama-cpp-python", "--wheel-dir", folder]
        command += [f"llama-cpp-python=={recipe.version}"]
        watched(command, log, "building", build_environment(recipe, environment))
        target = cache / recipe.key
        fresh = Path(folder) / "done"
        fresh.mkdir()
        for made in Path(folder).glob("*.whl"):
            made.rename(fresh / made.name)
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
    wheel = cached_wheel(recipe, cache)
    if wheel is None:
        raise SetupError(f"pip built no wheel; its words are in {log}.")
    return wheel


def build_environment(recipe: Recipe, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables pip and CMake read; a person's own flags are kept and come first."""
    changed = dict(environment)
    for name in ("CFLAGS", "CXXFLAGS"):
        changed[name] = f"{environment.get(name, '')} {recipe.flags}".strip()
    changed["CXX"] = recipe.compiler
    changed["CMAKE_ARGS"] = recipe.cmake_args
    changed.setdefault("CMAKE_BUILD_PARALLEL_LEVEL", str(parallel_jobs()))
    if recipe.backend == "cuda" and recipe.machine.nvcc:
        changed.setdefault("CUDACXX", recipe.machine.nvcc)
    return changed


def parallel_jobs() -> int:
    """Compilers at once: one per core, as far as memory goes."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, min(os.cpu_count() or 1, memory // BYTES_PER_COMPILE))


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file; another holder is waited for, with a line saying so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another set-up is at work; waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def watched(command: Sequence[str], log: Path, what: str, environment: Mapping[str, str]) -> None:
    """Run a command with its output in `log`, a line of progress now and then, its end on failure.

    Raises SetupError when it fails; whatever happens, no child is left behind.
    """
    started = time.monotonic()
    with log.open("wb") as out, _ctrl_c_later() as ctrl_c_now:
        child = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            ctrl_c_now()
            while not _ended(child):
                say(f"  {what}: {time.monotonic() - started:.0f} s{_ninja_step(log)}")
        finally:
            _end(child)
    if child.returncode != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-TAIL_LINES:])
        raise SetupError(f"{tail}\n\n{what} failed; the whole of its output is in {log}.")


@contextlib.contextmanager
def _ctrl_c_later() -> Iterator[Callable[[], None]]:
    """Ctrl-C waits until the block has ended, or has called what it is given."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    def now() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    try:
        yield now
    finally:
        now()


def _ended(child: subprocess.Popen[bytes]) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(TICK_S)
    return child.returncode is not None


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
        child.wait()


def _ninja_step(log: Path) -> str:
    """ ", step 12 of 300" when the log says so."""
    found = re.findall(rb"\[(\d+)/(\d+)\]", log.read_bytes()[-20_000:])
    return f", step {int(found[-1][0])} of {int(found[-1][1])}" if found else ""


def say(line: str) -> None:
    """One line on stderr, at once."""
    print(line, file=sys.stderr, flush=True)
