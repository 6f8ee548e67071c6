"""What a seeded chat asks of the chat under it."""

from __future__ import annotations

from edge_agent.chat.messages import ChatRequest, Message
from edge_agent.chat.seeded import SeededChat
from edge_agent.engine.params import SamplingParams
from tests.agent.fakes import FakeChat, Says

ASKED = ChatRequest((Message("user", "Who?"),))
GREEDY = ChatRequest(ASKED.messages, sampling=SamplingParams(temperature=0))
SEEDED = ChatRequest(ASKED.messages, sampling=SamplingParams(temperature=1, seed=3))


def sampled(request: ChatRequest, seed: int | None, warmth: float | None = None) -> SamplingParams:
    below = FakeChat([Says("Ane")])
    chat = SeededChat(below, SamplingParams(temperature=0.9), warmth)
    chat.seed = seed
    chat.prepare(request)
    sampling = below.requests[-1].sampling
    assert sampling is not None
    return sampling


def test_without_a_seed_and_warmth_nothing_changes() -> None:
    assert sampled(GREEDY, None) == GREEDY.sampling
    assert sampled(SEEDED, None) == SEEDED.sampling
    assert sampled(ASKED, None) == SamplingParams(temperature=0.9)


def test_a_seed_is_added_to_the_requests_own_so_that_rollouts_still_differ() -> None:
    assert sampled(ASKED, 5).seed == 5
    assert sampled(SEEDED, 5).seed == 8


def test_warmth_is_only_for_what_is_greedy() -> None:
    assert sampled(GREEDY, 5, 0.7).temperature == 0.7
    assert sampled(SEEDED, 5, 0.7).temperature == 1
    assert sampled(GREEDY, 5).temperature == 0


async def test_it_talks_like_the_chat_under_it() -> None:
    chat = SeededChat(FakeChat([Says("Ane")], n_ctx=77), SamplingParams())
    assert (chat.name, chat.n_ctx, chat.count("two words")) == ("fake", 77, 2)
    prompt = chat.prepare(ASKED)
    completion = await chat.complete(prompt)
    assert completion.text == "Ane"
    following = chat.extend(prompt, completion, (Message("user", "And?"),), ASKED)
    assert [event async for event in chat.stream(following)]
