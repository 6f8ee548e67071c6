from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.chat.messages import ChatRequest, Message
from edge_agent.chat.model import ChatModel
from edge_agent.chat.spoken import Spoken
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.vocab import Vocab
from edge_agent.engine.params import SamplingParams

from .fakes import CHATML, TOOLS, FakeEngine

END = "<|im_end|>"


def test_the_longest_known_beginning_is_recalled() -> None:
    spoken = Spoken({END})
    spoken.remember("one", (1,))
    spoken.remember(f"one{END}two", (1, 9, 2))
    assert spoken.recall(f"one{END}two{END}three") == ((1, 9, 2), f"{END}three")
    assert spoken.recall(f"one{END}three") == ((1,), f"{END}three")
    assert spoken.recall("two") == ((), "two")


def test_a_beginning_that_ends_inside_a_word_is_not_recalled() -> None:
    spoken = Spoken({END})
    spoken.remember("one", (1,))
    assert spoken.recall("ones") == ((), "ones")
    assert spoken.recall("one") == ((), "one")


def test_what_was_least_lately_asked_for_is_forgotten() -> None:
    spoken = Spoken({END}, limit=25)
    spoken.remember("a" * 10, (1,))
    spoken.remember("b" * 10, (2,))
    assert spoken.recall("a" * 10 + END)[0] == (1,)
    spoken.remember("c" * 10, (3,))
    assert [spoken.recall(one * 10 + END)[0] for one in "abc"] == [(1,), (), (3,)]
    spoken.remember("c" * 10, (4,))
    assert [spoken.recall(one * 10 + END)[0] for one in "ac"] == [(1,), (4,)]


async def test_a_conversation_goes_on_from_the_tokens_it_was_generated_in(
    smollm2_path: Path,
) -> None:
    """An official tokenizer would read `"}` as one token; the model wrote two."""
    vocab = Vocab.load(smollm2_path)
    said = [i for text in ('{"colour":"red', '"', "}") for i in vocab.encode(text)]
    assert vocab.encode('{"colour":"red"}') != said
    engine = FakeEngine(said, said)
    chat = ChatModel("m", vocab, engine, ChatTemplate(CHATML), 4096, SamplingParams())
    asked = Message("user", "Grass?")
    first = chat.prepare(ChatRequest((asked,)))
    whole = await chat.complete(first)
    answered = (asked, Message("assistant", whole.text), Message("user", "Blood?"))
    second = chat.prepare(ChatRequest(answered))
    assert second.ids[: len(first.ids) + len(said)] == first.ids + tuple(said)
    assert b"".join(map(vocab.piece, second.ids)).decode() == second.text
    fresh = chat.prepare(ChatRequest(answered, fresh=True))
    assert fresh.ids == tuple(vocab.encode(fresh.text)) != second.ids
    other = (asked, Message("assistant", whole.text + " "), Message("user", "Blood?"))
    third = chat.prepare(ChatRequest(other))
    assert third.ids == tuple(vocab.encode(third.text))
    vocab.close()


@pytest.mark.parametrize("behind", ["", "\n"])
async def test_a_conversation_goes_on_from_the_tokens_of_a_call(
    qwen_path: Path, behind: str
) -> None:
    """Constrained to JSON, a model writes a quote and a bracket apart; and some end a line."""
    vocab = Vocab.load(qwen_path)
    begun = '<tool_call>\n{"name": "search", "arguments": {"query": ["tide'
    parts = (begun, '"', "]}}\n</tool_call>")
    said = [i for text in parts for i in vocab.encode(text)]
    assert said != vocab.encode("".join(parts))
    engine = FakeEngine(said + vocab.encode(behind))
    chat = ChatModel("m", vocab, engine, ChatTemplate.of(vocab), 4096, SamplingParams())
    asked = Message("user", "When is high water?")
    first = chat.prepare(ChatRequest((asked,), TOOLS))
    (call,) = (await chat.complete(first)).tool_calls
    called = Message("assistant", "", tool_calls=(call,))
    told = Message("tool", "At six.", tool_call_id=call.id)
    second = chat.prepare(ChatRequest((asked, called, told), TOOLS))
    assert second.ids[: len(first.ids) + len(said)] == first.ids + tuple(said)
    vocab.close()
