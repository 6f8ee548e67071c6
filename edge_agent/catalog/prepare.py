"""Work done on a model once, on this device, between the check of its files and their placing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from edge_agent.catalog.card import Prepare
from edge_agent.catalog.progress import Progress, Step
from edge_agent.errors import PullError

TIMEOUT_S = 1800.0


def prepare(work: Prepare, folder: Path, progress: Progress) -> None:
    """Make `work.target` from `work.source`, in a process of its own. Raises PullError.

    A process, because the quantiser loads libraries and memory that nothing else here needs.
    """
    progress(Step(f"quantising {work.source} to int8"))
    command = [sys.executable, "-m", "quantize", "onnx"]
    command += [str(folder / work.source), str(folder / work.target)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise PullError(f"Quantising {work.source} took more than {TIMEOUT_S:.0f} s.") from None
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise PullError(f"Quantising {work.source} failed: {reason}")
