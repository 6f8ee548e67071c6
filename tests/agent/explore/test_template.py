"""What a run's transcript looks like to a model whose template drops old thoughts."""

from __future__ import annotations

import asyncio

import pytest

from edge_agent.agent.explore.dialect import DIALECTS
from edge_agent.agent.explore.profile import PROFILES
from edge_agent.agent.memory.transcript import Transcript
from edge_agent.chat.messages import Completion, Message
from edge_agent.chat.model import ChatModel
from edge_agent.chat.template import ChatTemplate
from edge_agent.engine.params import SamplingParams

from ...chat.fakes import FakeEngine, FakeVocab
from .qwen3 import TEMPLATE

TURNS = [  # what the model writes behind the opened thought, and what comes back
    (
        'First the bell.\n</think>\n\n<tool_call>\n{"name": "search", "arguments": '
        '{"query": ["carried bell"]}}\n</tool_call>',
        ["Results for “carried bell”:\n1. Bell (http://h/bell): It was carried."],
    ),
    ("Which page?\n</think>\n\nI am not sure.", ["Error: Call a tool, or answer."]),
    (
        'Two at once.\n</think>\n\n<tool_call>\n{"name": "search", "arguments": {"query": ["a"]}}'
        '\n</tool_call>\n<tool_call>\n{"name": "search", "arguments": {"query": ["b"]}}\n'
        "</tool_call>",
        ["Nothing.", "Nothing.\n\nLeft: 2 turns, 300 tokens, 40 seconds."],
    ),
]


def model(*scripts: str) -> tuple[ChatModel, FakeVocab]:
    vocab = FakeVocab(TEMPLATE, thinks=True)
    engine = FakeEngine(*[vocab.encode(text) for text in scripts])
    ids = iter(range(100))
    chat = ChatModel(
        "m",
        vocab,
        engine,
        ChatTemplate.of(vocab),
        60_000,
        SamplingParams(),
        make_id=lambda: str(next(ids)),
    )
    return chat, vocab


@pytest.mark.parametrize("name", ["agentcpm", "dr-venus", "tongyi", "litresearcher", "qwen"])
def test_the_transcript_is_what_the_template_would_write_with_all_thoughts_kept(name: str) -> None:
    chat, vocab = model(*[text for text, _ in TURNS])
    dialect = DIALECTS["hermes"](PROFILES[name])
    opening = dialect.opening("Who carried the bell?", "")
    request = dialect.request(opening, 1)
    transcript, said = Transcript(chat), list[Message]()
    prompt = transcript.start(request)
    for _, texts in TURNS:
        completion: Completion = asyncio.run(chat.complete(prompt))
        replies = dialect.reply(completion, texts)
        transcript.add(completion, replies)
        said += [
            Message("assistant", completion.text, completion.thought, completion.tool_calls),
            *replies,
        ]
        prompt = transcript.go_on(request)
    whole = chat.prepare(dialect.request((*opening, *said), 1))
    assert vocab.text(prompt.ids) == vocab.text(whole.ids)
    for thought in ("First the bell.", "Which page?", "Two at once."):
        assert f"<think>\n{thought}\n</think>" in vocab.text(prompt.ids)


def test_a_plain_user_message_would_lose_the_thoughts() -> None:
    chat, vocab = model()
    dialect = DIALECTS["hermes"](PROFILES["agentcpm"])
    request = dialect.request(
        (
            *dialect.opening("Who?", ""),
            Message("assistant", "I look.", "First the bell."),
            Message("user", "You have two turns left."),
        ),
        1,
    )
    assert "First the bell." not in vocab.text(chat.prepare(request).ids)
