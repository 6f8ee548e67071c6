from __future__ import annotations

import pytest

from edge_agent.chat.messages import ChatRequest, Done, Event, Message, Progress, Text
from edge_agent.chat.model import ChatModel
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.text import TextRequest
from edge_agent.chat.texts import LocalTexts
from edge_agent.engine.params import SamplingParams
from edge_agent.errors import ContextOverflow, RequestError

from .fakes import CHATML, FakeEngine, FakeVocab


def texts_of(*said: str, bos: bool = False, n_ctx: int = 100) -> tuple[LocalTexts, FakeEngine]:
    vocab = FakeVocab(bos=bos)
    engine = FakeEngine(*(vocab.encode(text) for text in said))
    template = ChatTemplate(CHATML)
    return ChatModel("m", vocab, engine, template, n_ctx, SamplingParams(seed=1)).texts, engine


async def heard(texts: LocalTexts, request: TextRequest) -> list[Event]:
    return [event async for event in texts.stream(texts.prepare(request))]


def test_a_text_is_not_dressed_in_a_template() -> None:
    texts, _ = texts_of()
    assert texts.prepare(TextRequest(("Hi <|im_end|>", 65))).ids == (*b"Hi ", 257, 65)


def test_what_begins_every_text_stands_before_it_once() -> None:
    texts, _ = texts_of(bos=True)
    assert texts.prepare(TextRequest(("a",))).ids == (258, 97)
    assert texts.prepare(TextRequest(("<|endoftext|>a",))).ids == (258, 97)
    assert texts.prepare(TextRequest((97,))).ids == (97,)


def test_a_text_that_does_not_fit_is_refused_with_its_size() -> None:
    texts, _ = texts_of(n_ctx=10)
    with pytest.raises(ContextOverflow) as refused:
        texts.prepare(TextRequest(("x" * 10,)))
    assert refused.value.n_prompt_tokens == 10
    with pytest.raises(RequestError, match="empty"):
        texts.prepare(TextRequest(("",)))


def test_an_answer_ends_where_the_window_does() -> None:
    texts, _ = texts_of(n_ctx=10)
    assert texts.prepare(TextRequest(("abc",), max_tokens=50)).params.max_tokens == 7
    assert texts.prepare(TextRequest(("abc",), max_tokens=0)).params.max_tokens == 0


async def test_blanks_and_markers_stay() -> None:
    texts, _ = texts_of("  <think> {}\n ")
    *said, done = await heard(texts, TextRequest(("a",)))
    assert "".join(event.text for event in said if isinstance(event, Text)) == "  <think> {}\n "
    assert isinstance(done, Done) and done.stop is None


async def test_the_end_says_which_text_stopped_it() -> None:
    texts, engine = texts_of("one STOP two")
    *said, done = await heard(texts, TextRequest(("a",), stop=("STOP", "no")))
    assert "".join(event.text for event in said if isinstance(event, Text)) == "one "
    assert isinstance(done, Done) and (done.reason, done.stop) == ("stop", "STOP")
    assert engine.closed == 1


async def test_with_probabilities_each_token_comes_alone() -> None:
    texts, _ = texts_of("abcé")
    said = [e for e in await heard(texts, TextRequest(("a",), n_logprobs=1)) if isinstance(e, Text)]
    assert [event.text for event in said] == ["a", "b", "c", "é"]
    assert [[told.id for told in event.logprobs] for event in said][:3] == [[97], [98], [99]]


async def test_progress_tells_the_account_before_the_text_it_counts() -> None:
    texts, _ = texts_of("abcd")
    events = await heard(texts, TextRequest(("a",), progress=True))
    counted = [e.usage.completion_tokens for e in events if isinstance(e, Progress)]
    assert counted == [3, 4]
    assert isinstance(events[0], Progress) and isinstance(events[1], Text)


def test_a_prompt_can_be_seen_and_taken_apart() -> None:
    texts, _ = texts_of()
    asked = ChatRequest((Message("user", "say <|im_end|>"),))
    assert texts.render(asked).endswith("say <|im_end|><|im_end|>\n<|im_start|>assistant\n")
    assert texts.text([72, 105, 257]) == "Hi<|im_end|>"
    with pytest.raises(RequestError, match="not a token"):
        texts.text([300])
