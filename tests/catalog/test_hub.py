from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from edge_agent.catalog.card import HubSpec
from edge_agent.catalog.hub import HubSource
from edge_agent.catalog.progress import Step, silent
from edge_agent.errors import BadModelFile, PullError
from tests.catalog.tiny import Hub, digest, gguf_bytes, serving

DATA = bytes(range(256)) * 20_000  # 5.1 MB: several chunks
SPEC = HubSpec("o/r", {"mine.bin": "dir/theirs.bin"})


def source(hub: Hub, spec: HubSpec = SPEC) -> HubSource:
    return HubSource(spec, endpoint=hub.endpoint, pause_s=0.0)


def test_a_file_arrives_under_our_name_with_the_hubs_hash(tmp_path: Path) -> None:
    steps: list[Step] = []
    with serving(Hub({"dir/theirs.bin": DATA})) as hub:
        stated = source(hub).fetch(tmp_path, steps.append)
    assert (tmp_path / "mine.bin").read_bytes() == DATA
    assert stated == {"mine.bin": digest(DATA)}
    assert [s.done for s in steps] == sorted(s.done for s in steps)
    assert (steps[-1].done, steps[-1].total) == (len(DATA), len(DATA))


def test_a_cut_line_is_continued_where_it_broke(tmp_path: Path) -> None:
    with serving(Hub({"dir/theirs.bin": DATA}, cut_after=[1_500_000, 700_000])) as hub:
        source(hub).fetch(tmp_path, silent)
        assert hub.bodies() == ["", "bytes=1500000-", "bytes=2200000-"]
    assert (tmp_path / "mine.bin").read_bytes() == DATA


def test_a_later_pull_continues_what_an_earlier_one_left(tmp_path: Path) -> None:
    with serving(Hub({"dir/theirs.bin": DATA}, cut_after=[2_000_000, 0, 0, 0, 0, 0])) as hub:
        with pytest.raises(PullError, match=r"2,000,000 of 5,120,000 bytes of dir/theirs\.bin"):
            source(hub).fetch(tmp_path, silent)
        hub.cut_after.clear()
        hub.requests.clear()
        source(hub).fetch(tmp_path, silent)
        assert hub.bodies() == ["bytes=2000000-"]
    assert (tmp_path / "mine.bin").read_bytes() == DATA


def test_a_person_may_stop_a_pull_and_continue_it_later(tmp_path: Path) -> None:
    def stop(step: Step) -> None:
        if step.done >= 2 << 20:
            raise KeyboardInterrupt

    with serving(Hub({"dir/theirs.bin": DATA})) as hub:
        with pytest.raises(KeyboardInterrupt):
            source(hub).fetch(tmp_path, stop)
        hub.requests.clear()
        source(hub).fetch(tmp_path, silent)
        assert hub.bodies() == [f"bytes={2 << 20}-"]
    assert (tmp_path / "mine.bin").read_bytes() == DATA


def test_half_of_another_version_is_not_continued(tmp_path: Path) -> None:
    with serving(Hub({"dir/theirs.bin": DATA}, cut_after=[1_000_000, 0, 0, 0, 0, 0])) as hub:
        with pytest.raises(PullError):
            source(hub).fetch(tmp_path, silent)
        hub.cut_after.clear()
        hub.requests.clear()
        hub.files["dir/theirs.bin"] = DATA[::-1]
        source(hub).fetch(tmp_path, silent)
        assert hub.bodies() == [""]
    assert (tmp_path / "mine.bin").read_bytes() == DATA[::-1]


def test_a_server_without_ranges_begins_anew(tmp_path: Path) -> None:
    with serving(Hub({"dir/theirs.bin": DATA}, cut_after=[1_000_000], ranges=False)) as hub:
        source(hub).fetch(tmp_path, silent)
    assert (tmp_path / "mine.bin").read_bytes() == DATA


def test_a_small_file_is_checked_by_its_git_hash(tmp_path: Path) -> None:
    good = hashlib.sha1(b"blob %d\0" % len(DATA) + DATA).hexdigest()
    with serving(Hub({"dir/theirs.bin": DATA}, etags={"dir/theirs.bin": good})) as hub:
        assert source(hub).fetch(tmp_path, silent) == {"mine.bin": None}
        hub.etags["dir/theirs.bin"] = "0" * 40
        with pytest.raises(BadModelFile, match=r"mine\.bin has not the hash"):
            source(hub).fetch(tmp_path, silent)


def test_a_pattern_finds_the_file(tmp_path: Path) -> None:
    files = {"README.md": b"x", "M-Q8_0.gguf": b"big", "M-Q4_K_M.gguf": gguf_bytes()}
    with serving(Hub(files)) as hub:
        source(hub, HubSpec("o/r", {"m.gguf": "*[Qq]4_[Kk]_[Mm]*.gguf"})).fetch(tmp_path, silent)
        with pytest.raises(PullError, match=r"o/r has no file that matches \*\.bin"):
            source(hub, HubSpec("o/r", {"m.gguf": "*.bin"})).fetch(tmp_path, silent)
    assert (tmp_path / "m.gguf").read_bytes() == gguf_bytes()


def test_bytes_come_from_where_the_hub_redirects_and_the_token_stays(tmp_path: Path) -> None:
    with serving(Hub({"dir/theirs.bin": DATA})) as cdn:
        with serving(Hub({"dir/theirs.bin": DATA}, cdn=cdn.endpoint)) as hub:
            HubSource(SPEC, hub.endpoint, token=lambda: "secret").fetch(tmp_path, silent)
            assert hub.bodies() == []
            assert {token for *_, token in hub.requests} == {"Bearer secret"}
        assert cdn.bodies() == [""]
        assert {token for *_, token in cdn.requests} == {""}
    assert (tmp_path / "mine.bin").read_bytes() == DATA


def test_a_missing_file_and_a_dead_hub_are_one_sentence(tmp_path: Path) -> None:
    with serving(Hub({})) as hub:
        assert not source(hub).answers()
        with pytest.raises(PullError, match=r"did not deliver dir/theirs\.bin of o/r: .*404"):
            source(hub).fetch(tmp_path, silent)
    assert not source(hub).answers()
    with pytest.raises(PullError, match=r"did not deliver dir/theirs\.bin of o/r"):
        source(hub).fetch(tmp_path, silent)


def test_the_token_goes_with_bytes_from_the_hub_itself(tmp_path: Path) -> None:
    with serving(Hub({"dir/theirs.bin": DATA})) as hub:
        HubSource(SPEC, hub.endpoint, token=lambda: "secret").fetch(tmp_path, silent)
    assert {token for *_, token in hub.requests} == {"Bearer secret"}


def test_the_hub_answers_for_a_file_it_has() -> None:
    with serving(Hub({"dir/theirs.bin": DATA})) as hub:
        assert source(hub).answers()
