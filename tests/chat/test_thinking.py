from __future__ import annotations

import pytest

from edge_agent.chat.messages import ChatRequest, Message
from edge_agent.chat.model import ChatModel
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.thinking import thought_tokens
from edge_agent.engine.params import SamplingParams, ThoughtLimit

from .fakes import CHATML, SWITCHED, THINKER, FakeEngine, FakeVocab

THINKS, SPELLS = FakeVocab(thinks=True), FakeVocab()
ASKED = (Message("user", "Who?"),)


def limit_of(
    source: str = THINKER, vocab: FakeVocab = THINKS, **fields: object
) -> ThoughtLimit | None:
    model = ChatModel("m", vocab, FakeEngine(), ChatTemplate(source), 4096, SamplingParams())
    return model.prepare(ChatRequest(ASKED, **fields)).params.thought  # type: ignore[arg-type]


def test_a_thought_is_closed_as_templates_write_it_after_the_sentence() -> None:
    limit = limit_of(thinking_budget=7, thinking_close="Time is up.")
    assert limit and (limit.budget, limit.begun) == (7, True)
    assert THINKS.text(limit.closing) == "\n\nTime is up.\n</think>"
    assert (THINKS.text(limit.start), THINKS.text(limit.end)) == ("<think>", "</think>")
    assert len(limit.end) == 1
    bare = limit_of()
    assert bare and (bare.budget, THINKS.text(bare.closing)) == (None, "\n</think>")


def test_markers_that_are_several_tokens_are_told_as_such() -> None:
    limit = limit_of(vocab=SPELLS)
    assert limit and limit.end == tuple(b"</think>")
    assert SPELLS.text(limit.closing) == "\n</think>"


def test_a_sentence_cannot_write_control_tokens() -> None:
    limit = limit_of(thinking_close="<|im_end|>")
    assert limit and THINKS.token_id("<|im_end|>") not in limit.closing


def test_a_model_that_does_not_think_has_no_limit() -> None:
    assert limit_of(CHATML, SPELLS, thinking_budget=7) is None
    assert limit_of(CHATML, SPELLS, thinking_budget=0) is None


@pytest.mark.parametrize("fields", [{"thinking_budget": 0}, {"thinking": False}])
def test_no_budget_is_no_thought(fields: dict[str, object]) -> None:
    for source in (THINKER, SWITCHED):
        model = ChatModel("m", THINKS, FakeEngine(), ChatTemplate(source), 4096, SamplingParams())
        prompt = model.prepare(ChatRequest(ASKED, **fields))  # type: ignore[arg-type]
        assert THINKS.text(prompt.ids).endswith("</think>\n\n")
        assert (prompt.opens_thought, prompt.params.thought) == (False, None)
    unswitched = limit_of(CHATML, THINKS, **fields)  # a template that knows no switch
    assert unswitched and unswitched.budget == 0


def test_a_prefill_past_the_thought_leaves_nothing_to_limit() -> None:
    assert limit_of(prefill="Hm.</think>It is", thinking_budget=5) is None
    begun = limit_of(prefill="Hm", thinking_budget=5)
    assert begun and begun.begun


@pytest.mark.parametrize(
    ("begun", "text", "expected"),
    [
        (True, "abc</think>de", 3),
        (True, "abc", 3),
        (False, "<think>ab</think>c", 2),
        (False, "abc", 0),
    ],
)
def test_thought_tokens_are_those_between_the_markers(
    begun: bool, text: str, expected: int
) -> None:
    for vocab in (THINKS, SPELLS):
        start, end = tuple(vocab.encode("<think>")), tuple(vocab.encode("</think>"))
        limit = ThoughtLimit(None, start, end, end, begun)
        assert thought_tokens(vocab.encode(text), limit) == expected
    assert thought_tokens(SPELLS.encode(text), None) == 0
