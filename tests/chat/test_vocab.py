from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.chat.vocab import Vocab
from edge_agent.errors import ModelLoadError

SPELLED = ["<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", "</s>", "<|im_", "<empty"]
BLANKS = [" ", "  ", "\n", "\n\n", "\t", "\r\n", "\u00a0", "\u2003", "\x85", "\x04", "\x1d"]
WORDS = [
    "It's",
    "I'LL",
    "don\u2019t",
    "été",
    "日本語",
    "12345",
    "3.14",
    "x_y",
    "🙂👩‍👩‍👧",
    "ſ",
    "K",
    "!?--",
    "\U00050000",
]
TEXTS = st.lists(
    st.text(max_size=8)
    | st.sampled_from(SPELLED)
    | st.sampled_from(BLANKS)
    | st.sampled_from(WORDS),
    max_size=10,
).map("".join)

load = lru_cache(maxsize=2)(Vocab.load)


@pytest.fixture(params=["smollm2_path", "qwen_path"])
def vocab(request: pytest.FixtureRequest) -> Vocab:
    return load(request.getfixturevalue(request.param))


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(TEXTS, st.booleans())
def test_ids_are_llama_cpps_own(vocab: Vocab, text: str, special: bool) -> None:
    assert vocab.encode(text, special) == vocab.encode_llama(text, special)


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cn", "Co", "Cs"])))
def test_pieces_join_to_the_text(vocab: Vocab, text: str) -> None:
    assert b"".join(map(vocab.piece, vocab.encode(text))).decode() == text


def test_control_spellings_are_tokens_only_when_asked(vocab: Vocab) -> None:
    assert vocab.encode("<|im_end|>") == [vocab.token_id("<|im_end|>")]
    assert len(vocab.encode("<|im_end|>", special=False)) > 1
    assert vocab.count("<|im_end|>") > 1


def test_a_vocabulary_knows_its_special_tokens(smollm2_path: Path, qwen_path: Path) -> None:
    small, qwen = load(smollm2_path), load(qwen_path)
    assert small.token_id("<tool_call>") is None
    assert qwen.token_id("<tool_call>") == 151657
    assert qwen.token_id("hello") is None
    assert qwen.markers == {"<tool_call>", "</tool_call>"}
    assert (small.eos, qwen.eos) == ("<|im_end|>", "<|im_end|>")
    assert {small.token_id("<|im_end|>"), small.token_id("<|endoftext|>")} <= small.eog_ids
    assert small.bos_ids == qwen.bos_ids == ()
    assert small.metadata["general.basename"] == "smollm2"
    assert "<tool_call>" in (qwen.chat_template or "")


def test_a_text_longer_than_tiktokens_stack_is_still_encoded(smollm2_path: Path) -> None:
    assert len(load(smollm2_path).encode("a" * 1_200_000)) == 300_000


def test_a_lone_surrogate_is_no_reason_to_fail(vocab: Vocab) -> None:
    assert vocab.encode("a\ud800b") == vocab.encode("a?b")


@pytest.mark.parametrize("content", [b"", b"GGUF", b"not a model at all" * 99])
def test_a_bad_file_is_a_sentence_that_names_it(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "bad.gguf"
    file.write_bytes(content)
    with pytest.raises(ModelLoadError, match=r"bad\.gguf"):
        Vocab.load(file)


def test_a_cut_file_is_a_sentence_that_names_it(tmp_path: Path, smollm2_path: Path) -> None:
    file = tmp_path / "cut.gguf"
    with smollm2_path.open("rb") as whole:
        file.write_bytes(whole.read(200_000))
    with pytest.raises(ModelLoadError, match=r"cut\.gguf"):
        Vocab.load(file)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="There is no model file"):
        Vocab.load(tmp_path / "none.gguf")


def test_a_closed_vocabulary_can_be_closed_again(smollm2_path: Path) -> None:
    vocab = Vocab.load(smollm2_path)
    vocab.close()
    vocab.close()
