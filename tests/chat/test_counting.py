from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_agent.chat.messages import ChatRequest, Message
from edge_agent.chat.model import ChatModel
from edge_agent.chat.remote.counting import SAMPLE, Counter, estimate
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.vocab import Vocab
from edge_agent.engine.params import SamplingParams

from .fakes import TOOLS, FakeEngine

SITE = Path(__file__).parents[2] / "examples" / "site"


def pages() -> list[str]:
    """The sample site without its markup."""
    texts = (path.read_text("utf-8") for path in sorted(SITE.rglob("*.html")))
    return [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text)) for text in texts]


@pytest.mark.parametrize("fixture", ["smollm2_path", "qwen_path"])
def test_an_estimate_errs_upward(fixture: str, request: pytest.FixtureRequest) -> None:
    vocab = Vocab.load(request.getfixturevalue(fixture))
    for counter in (Counter(), Counter(vocab.count(SAMPLE))):
        for page in pages():
            assert vocab.count(page) <= counter.text(page) <= vocab.count(page) * 1.6
    pieces = [page[at : at + 400] for page in pages() for at in range(0, len(page) - 400, 400)]
    ratios = sorted(estimate(piece) / vocab.count(piece) for piece in pieces)
    assert ratios[len(ratios) * 3 // 100] >= 1.0
    assert 1.1 < ratios[len(ratios) // 2] < 1.35
    vocab.close()


@pytest.mark.parametrize("fixture", ["smollm2_path", "qwen_path"])
def test_so_does_that_of_a_whole_prompt(fixture: str, request: pytest.FixtureRequest) -> None:
    vocab = Vocab.load(request.getfixturevalue(fixture))
    model = ChatModel(
        "real", vocab, FakeEngine(), ChatTemplate.of(vocab), 9999, SamplingParams()
    )  # fmt: skip
    for asked in (
        ChatRequest((Message("user", "Who?"),)),
        ChatRequest((Message("user", pages()[3]),), TOOLS),
    ):
        true = len(model.prepare(asked).ids)
        assert true <= Counter(vocab.count(SAMPLE)).request(asked) <= true * 2 + 60
    vocab.close()


def test_a_scale_stays_within_reason() -> None:
    assert Counter(None).scale == 1.0
    assert Counter(10**6).scale == 2.0
    assert Counter().text("") == 0
