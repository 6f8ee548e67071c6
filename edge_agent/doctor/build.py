"""The llama.cpp that is installed, asked in a process of its own: loading one that was built for
another processor may end the process. `python -m edge_agent.doctor.build` prints it.
"""

from __future__ import annotations

import json
import platform
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from edge_agent.doctor.finding import Finding
from edge_agent.engine.core.llama import BINDING_VERSION, check_binding, system_info
from edge_agent.engine.fit.gpus import offloads
from edge_agent.errors import ModelLoadError

ASK = (sys.executable, "-m", "edge_agent.doctor.build")
ASK_S = 60.0  # a cold disk, and a driver that starts for the first time
NO_AMX = "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"
PACKAGE = "llama-cpp-python"
REBUILD = (
    "pip install --force-reinstall --no-deps --no-cache-dir "
    f"--no-binary {PACKAGE} {PACKAGE}=={BINDING_VERSION}"
)


@dataclass(frozen=True, slots=True)
class Build:
    """features: of the processor's that it uses, in llama.cpp's names. offloads: it can use an
    accelerator. wrong: what is wrong with the binding, "" where nothing is."""

    features: tuple[str, ...]
    offloads: bool
    wrong: str = ""


def build_of(command: Sequence[str] = ASK) -> Build | Finding:
    """The build, or why it cannot be used at all."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=ASK_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("llama.cpp", "problem", f"It could not be asked: {error}.", _rebuilt())
    if done.returncode:
        return Finding("llama.cpp", "problem", _died(done.returncode, done.stderr), _rebuilt())
    told = json.loads(done.stdout)
    return Build(tuple(told["features"]), told["offloads"], told["wrong"])


def _died(code: int, stderr: bytes) -> str:
    if code < 0:
        return f"It ends the process with {signal.Signals(-code).name} as soon as it is loaded."
    last = (stderr.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1]
    return f"It cannot be loaded: {last}"


def _rebuilt() -> str:
    return f"Build it for this processor: {REBUILD}."


def features_of(info: str) -> tuple[str, ...]:
    """The features that are on in llama.cpp's line `CPU : AVX = 1 | AVX2 = 1 | ...`."""
    pairs = (part.split("=") for part in info.replace(":", "|").split("|") if "=" in part)
    return tuple(name.strip() for name, value in pairs if value.strip() == "1")


def on_build(build: Build) -> list[Finding]:
    """What is to be said of it by itself."""
    if build.wrong:
        return [Finding("llama.cpp", "problem", build.wrong, "Install the version that is named.")]
    found = [Finding("llama.cpp", "good", f"It uses {', '.join(build.features) or 'no features'}.")]
    if platform.system() == "Linux" and any(name.startswith("AMX") for name in build.features):
        found.append(
            Finding(
                "AMX",
                "problem",
                "This llama.cpp was built with AMX, whose kernels crash at the first step unless "
                "the system permits them; then the engine loads without repacked kernels, slower.",
                f"Rebuild it: CMAKE_ARGS=\"-DCMAKE_C_FLAGS='{NO_AMX}' "
                f"-DCMAKE_CXX_FLAGS='{NO_AMX}'\" {REBUILD}.",
            )
        )
    return found


def main() -> None:
    """Print what can be known without a model."""
    try:
        check_binding()
        wrong = ""
    except ModelLoadError as error:
        wrong = str(error)
    print(json.dumps(asdict(Build(features_of(system_info()), offloads(), wrong))))


if __name__ == "__main__":
    main()
