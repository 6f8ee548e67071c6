"""Verification and shaped answers with a real model in a real engine process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from edge_agent.agent.answer.answerer import Answerer
from edge_agent.agent.answer.checked import CheckedAnswerer
from edge_agent.agent.answer.question import asked
from edge_agent.agent.answer.shapes import SHAPED, shape
from edge_agent.agent.answer.verify import JUDGE_TOKENS, JUDGEMENTS, Verifier
from edge_agent.agent.refine.ranker import Ranker
from edge_agent.chat.model import ChatModel
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.vocab import Vocab
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import LoadSpec, SamplingParams

from .fakes import PAGES, answer, evidence

pytestmark = pytest.mark.asyncio(loop_scope="module")
N_CTX = 2048


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def chat(smollm2_path: Path) -> AsyncIterator[ChatModel]:
    engine = EngineClient(LoadSpec(str(smollm2_path), N_CTX, 256, 4, 1), notice=print)
    await engine.start()
    vocab = Vocab.load(smollm2_path)
    greedy = SamplingParams(temperature=0)
    yield ChatModel("smollm2", vocab, engine, ChatTemplate.of(vocab), N_CTX, greedy)
    await engine.close()


async def test_a_real_model_judges_in_the_words_it_is_given(chat: ChatModel) -> None:
    found = evidence()
    given = answer("Ane Pollock", found, [2])
    verifier = Verifier(chat, asks=True)
    verdict = await verifier.verify("Who built the Thrift?", given, found, list(found))
    assert verdict.completion is not None
    assert verdict.completion.done.usage.completion_tokens <= JUDGE_TOKENS
    judged = [word for word in JUDGEMENTS if f'"{word}"' in verdict.completion.text]
    assert len(judged) == 1
    assert verdict.supported is (judged == ["supported"])
    assert (verdict.fault is None) is verdict.supported


@pytest.mark.parametrize(
    "question",
    [
        "Is the Thrift a smack?",
        "Which is older, the Thrift or the bell?",
        "In which year was the Thrift built?",
        "How much does the bell weigh?",
    ],
)
async def test_a_real_model_is_held_to_the_alternatives(chat: ChatModel, question: str) -> None:
    found = evidence()
    answerer = CheckedAnswerer(Answerer(chat, Ranker(None), 400), Verifier(chat))
    drawn = await answerer.extract(question, found)
    allowed = shape(asked(question), list(found), SHAPED)["enum"]
    assert drawn.text in allowed  # type: ignore[operator]
    assert drawn.verdict is not None
    assert all(citation.quote in PAGES[citation.url] for citation in drawn.citations)


async def test_a_real_model_names_no_number_where_a_place_is_asked_for(chat: ChatModel) -> None:
    answerer = Answerer(chat, Ranker(None), 400)
    drawn = await answerer.extract("Where was the Thrift built?", evidence())
    assert drawn.text
    assert not any(letter.isdigit() for letter in drawn.text)
