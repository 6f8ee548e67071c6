from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PASSED = "===== 3 passed, 1 skipped in 0.12s ====="
FAILED = "===== 1 failed, 2 passed in 0.12s ====="


def run(folder: Path, closing: str, code: int) -> tuple[int, str]:
    """Exit status and last line of .ci/run over a Makefile that ends with `closing`."""
    (folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", folder / ".ci" / "run")
    (folder / "Makefile").write_text(
        f"test:\n\t@test \"$$CI\" = true\n\t@echo '{closing}'\n\t@exit {code}\n"
    )
    done = subprocess.run([str(folder / ".ci" / "run")], capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines()[-1]


@pytest.mark.parametrize(("closing", "code"), [(PASSED, 0), (FAILED, 1)])
def test_pytests_closing_line_is_last_and_the_status_is_kept(
    tmp_path: Path, closing: str, code: int
) -> None:
    status, last = run(tmp_path, closing, code)
    assert (status == 0) == (code == 0)
    assert last == closing


def test_a_set_up_that_fails_is_a_failure(tmp_path: Path) -> None:
    status, last = run(tmp_path, "No working C++ compiler", 1)
    assert status != 0
    assert "passed" not in last
