from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from edge_agent.catalog.card import WheelsSpec
from edge_agent.catalog.progress import silent
from edge_agent.catalog.wheels import WheelSource, pip_download
from edge_agent.errors import PullError
from tests.catalog.tiny import write_wheel

SPEC = WheelsSpec("carrier-part{n}==1.0", {"m.bin": "carrier_part{n}/data/part*.bin"}, parts=12)


def payload(part: int) -> bytes:
    return bytes([part]) * (1000 + part)


WHOLE = b"".join(payload(part) for part in range(1, 13))


class FakeIndex:
    """Wheels by requirement; fails on the ones named in `broken`."""

    def __init__(self, broken: set[str] | None = None) -> None:
        self.broken = broken or set()
        self.asked: list[str] = []

    def __call__(self, requirement: str, folder: Path) -> None:
        self.asked.append(requirement)
        if requirement in self.broken:
            raise PullError(f"pip did not deliver {requirement}: no line")
        name, version = requirement.split("==")
        part = int(name.removeprefix("carrier-part"))
        member = f"carrier_part{part}/data/part{part:02}.bin"
        write_wheel(folder, name, version, {member: payload(part)})


def test_parts_are_joined_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    WheelSource(SPEC, FakeIndex()).fetch(tmp_path, silent)
    assert (tmp_path / "m.bin").read_bytes() == WHOLE
    assert not list(tmp_path.rglob("*.whl"))


def test_parts_already_there_are_not_fetched_again(tmp_path: Path) -> None:
    with pytest.raises(PullError):
        WheelSource(SPEC, FakeIndex({"carrier-part8==1.0"})).fetch(tmp_path, silent)
    again = FakeIndex()
    WheelSource(SPEC, again).fetch(tmp_path, silent)
    assert again.asked[0] == "carrier-part8==1.0"
    assert (tmp_path / "m.bin").read_bytes() == WHOLE


def test_a_part_that_was_being_written_is_written_anew(tmp_path: Path) -> None:
    with pytest.raises(PullError):
        WheelSource(SPEC, FakeIndex({"carrier-part3==1.0"})).fetch(tmp_path, silent)
    with (tmp_path / "m.bin").open("ab") as file:
        file.write(b"half of part 3")
    WheelSource(SPEC, FakeIndex()).fetch(tmp_path, silent)
    assert (tmp_path / "m.bin").read_bytes() == WHOLE


def test_bytes_lost_from_the_partial_file_mean_a_fresh_start(tmp_path: Path) -> None:
    with pytest.raises(PullError):
        WheelSource(SPEC, FakeIndex({"carrier-part3==1.0"})).fetch(tmp_path, silent)
    (tmp_path / "m.bin").write_bytes(b"")
    again = FakeIndex()
    WheelSource(SPEC, again).fetch(tmp_path, silent)
    assert again.asked[0] == "carrier-part1==1.0"
    assert (tmp_path / "m.bin").read_bytes() == WHOLE


def test_progress_counts_bytes(tmp_path: Path) -> None:
    done: list[int] = []
    WheelSource(SPEC, FakeIndex()).fetch(tmp_path, lambda step: done.append(step.done))
    assert done[0] == 0
    assert done[-1] == len(WHOLE)
    assert done == sorted(done)


def test_a_wheel_without_the_member_is_named(tmp_path: Path) -> None:
    spec = WheelsSpec("carrier-part1==1.0", {"m.bin": "elsewhere/*.bin"})
    with pytest.raises(PullError, match=r"carrier_part1-1\.0.*no member that matches elsewhere"):
        WheelSource(spec, FakeIndex()).fetch(tmp_path, silent)


def test_real_pip_fetches_and_nothing_is_installed_or_run(tmp_path: Path) -> None:
    shelf, folder = tmp_path / "shelf", tmp_path / "out"
    shelf.mkdir()
    folder.mkdir()
    for part in (1, 2):
        member = f"carrier_part{part}/data/part{part:02}.bin"
        write_wheel(shelf, f"carrier-part{part}", "1.0", {member: payload(part)})
    offline = partial(pip_download, options=("--no-index", f"--find-links={shelf}"))
    spec = WheelsSpec(SPEC.requirement, SPEC.files, parts=2)
    WheelSource(spec, offline).fetch(folder, silent)
    assert (folder / "m.bin").read_bytes() == payload(1) + payload(2)


def test_real_pip_says_what_it_did_not_find(tmp_path: Path) -> None:
    offline = partial(pip_download, options=("--no-index",))
    spec = WheelsSpec("no-such-carrier==9.9", {"m.bin": "*"})
    with pytest.raises(PullError, match=r"pip did not deliver no-such-carrier==9\.9: ERROR"):
        WheelSource(spec, offline).fetch(tmp_path, silent)
