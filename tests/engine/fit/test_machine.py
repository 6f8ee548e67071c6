from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from edge_agent.engine.fit import gpus
from edge_agent.engine.fit.cgroup import Cgroup
from edge_agent.engine.fit.machine import Machine, find_gpus, usable_cores

MIB = 1 << 20


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_this_machine_has_memory_and_cores() -> None:
    here = Machine.here()
    assert 0 < here.available_bytes <= psutil.virtual_memory().total
    assert 1 <= here.n_cores <= (psutil.cpu_count() or 1)


def test_a_container_of_version_2_is_as_small_as_its_smallest_group(tmp_path: Path) -> None:
    own = tmp_path / "self"
    own.write_text("0::/pods/one\n")
    root = tmp_path / "cgroup"
    write(root / "pods", memory__max=f"{900 * MIB}", memory__current=f"{500 * MIB}")
    write(root / "pods", memory__stat=f"anon 7\ninactive_file {100 * MIB}\n")
    write(root / "pods" / "one", memory__max="max", memory__current="5", cpu__max="150000 100000")
    cgroup = Cgroup.here(root, own)
    assert cgroup.free_bytes() == 500 * MIB
    assert cgroup.cores() == 1.5


def test_a_container_of_version_1_has_a_folder_for_each_controller(tmp_path: Path) -> None:
    own = tmp_path / "self"
    own.write_text("5:cpu,cpuacct:/box\n4:memory:/box\n")
    root = tmp_path / "cgroup"
    write(root / "memory", memory__limit_in_bytes=str(2**63 - 4096), memory__usage_in_bytes="9")
    box = {"memory__limit_in_bytes": str(64 * MIB), "memory__usage_in_bytes": str(80 * MIB)}
    write(root / "memory" / "box", **box)
    write(root / "cpu" / "box", cpu__cfs_quota_us="200000", cpu__cfs_period_us="100000")
    cgroup = Cgroup.here(root, own)
    assert cgroup.free_bytes() == 0
    assert cgroup.cores() == 2.0


def test_no_container_is_no_limit(tmp_path: Path) -> None:
    cgroup = Cgroup.here(tmp_path, tmp_path / "none")
    assert cgroup.free_bytes() is None
    assert cgroup.cores() is None


def test_siblings_are_one_core_and_a_quota_takes_the_rest(tmp_path: Path) -> None:
    for cpu in range(psutil.cpu_count() or 1):
        write(tmp_path / f"cpu{cpu}" / "topology", physical_package_id="0", core_id=f"{cpu // 2}")
    siblings = usable_cores(None, tmp_path)
    assert siblings <= usable_cores(None, tmp_path / "unknown")
    assert siblings <= -(-(psutil.cpu_count() or 1) // 2)
    assert usable_cores(0.5, tmp_path) == 1
    assert usable_cores(1.0, tmp_path) == 1


def test_llama_cpp_tells_of_its_devices() -> None:
    if gpus.offloads():
        pytest.skip("what is there to see depends on the machine")
    assert find_gpus() == ()  # the registry holds the CPU alone
