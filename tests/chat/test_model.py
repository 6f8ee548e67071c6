from __future__ import annotations

import itertools
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.chat.messages import ChatRequest, Completion, Done, Message, Text, ToolCall
from edge_agent.chat.model import ChatModel, new_call_id
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.vocab import Vocab
from edge_agent.engine.client import EngineClient
from edge_agent.engine.params import FinishReason, LoadSpec, SamplingParams, Usage
from edge_agent.errors import ContextOverflow, EngineError, RequestError

from .fakes import CHATML, FETCH, HERMES, SEARCH, SWITCHED, THINKER, TOOLS, FakeEngine, FakeVocab

VOCAB = FakeVocab(thinks=True)
ASKED = (Message("user", "Who?"),)
CALLED = '<tool_call>\n{"name": "search", "arguments": {"query": ["a"]}}\n</tool_call>'


def chat(
    *said: str,
    source: str = CHATML,
    reason: FinishReason = "stop",
    step: int = 3,
    n_ctx: int = 4096,
    vocab: FakeVocab = VOCAB,
) -> tuple[ChatModel, FakeEngine]:
    engine = FakeEngine(*(vocab.encode(s) for s in said), reason=reason, step=step)
    numbers = itertools.count()
    model = ChatModel(
        "fake", vocab, engine, ChatTemplate(source), n_ctx, SamplingParams(temperature=0.5), 100,
        lambda: f"call_{next(numbers)}",
    )  # fmt: skip
    return model, engine


def wrote(ids: Sequence[int]) -> Completion:
    """A completion, of which only the ids matter here."""
    return Completion("", "", (), Done("stop", Usage(), tuple(ids)))


async def test_the_whole_is_the_fold_of_the_stream() -> None:
    for step in (1, 2, 7, 999):
        model, engine = chat(f"Hm.</think>Héé.\n{CALLED}", source=THINKER, step=step)
        whole = await model.complete(model.prepare(ChatRequest(ASKED, TOOLS)))
        assert (whole.thought, whole.text) == ("Hm.", "Héé.")
        assert whole.tool_calls == (ToolCall("call_0", "search", '{"query": ["a"]}'),)
        assert whole.done.reason == "tool_calls"
        assert list(whole.done.ids) == VOCAB.encode(f"Hm.</think>Héé.\n{CALLED}")
        assert whole.done.usage.completion_tokens == len(whole.done.ids)
        assert engine.closed == 1


async def test_closing_a_stream_closes_the_engines() -> None:
    model, engine = chat("One two three four five")
    events = model.stream(model.prepare(ChatRequest(ASKED)))
    assert await events.__anext__() == Text("One")
    assert engine.closed == 0
    await events.aclose()
    assert engine.closed == 1
    assert engine.given < 10


async def test_a_stop_string_ends_the_generation() -> None:
    model, engine = chat("One. STOP two three four")
    prompt = model.prepare(ChatRequest(ASKED, stop=("STOP",)))
    whole = await model.complete(prompt)
    assert whole.text == "One. "
    assert whole.done.reason == "stop"
    assert VOCAB.text(whole.done.ids) == "One. STOP"
    assert whole.done.usage.prompt_tokens == len(prompt.ids)
    assert whole.done.usage.completion_tokens == 9
    assert (engine.given, engine.closed) == (9, 1)


async def test_length_is_told_and_a_cut_call_is_not_run() -> None:
    model, _ = chat(CALLED[:-20], reason="length")
    whole = await model.complete(model.prepare(ChatRequest(ASKED, TOOLS)))
    assert whole.done.reason == "length"
    assert whole.tool_calls == ()
    assert whole.done.malformed is not None


async def test_a_generation_that_the_engine_gave_up_is_an_error() -> None:
    model, engine = chat("One", reason="cancelled")
    with pytest.raises(EngineError):
        await model.complete(model.prepare(ChatRequest(ASKED)))
    assert engine.closed == 1


async def test_control_tokens_in_the_middle_are_not_shown() -> None:
    model, _ = chat("One<|endoftext|> two")
    assert (await model.complete(model.prepare(ChatRequest(ASKED)))).text == "One two"


def test_a_prompt_that_does_not_fit_is_refused_with_its_size() -> None:
    model, _ = chat(n_ctx=20)
    with pytest.raises(ContextOverflow) as caught:
        model.prepare(ChatRequest((Message("user", "x" * 50),)))
    assert caught.value.n_prompt_tokens > 50
    assert caught.value.n_ctx == 20


def test_a_bias_on_a_token_that_is_not_there_is_refused_by_name() -> None:
    model, _ = chat()
    n_vocab = FakeEngine().info.n_vocab
    last = SamplingParams(logit_bias=((n_vocab - 1, 1.0),))
    assert model.prepare(ChatRequest(ASKED, sampling=last)).params.sampling == last
    for token in (n_vocab, -1):
        beyond = SamplingParams(logit_bias=((token, 1.0),))
        with pytest.raises(RequestError, match=f"{token} is not a token id") as caught:
            model.prepare(ChatRequest(ASKED, sampling=beyond))
        assert caught.value.param == "logit_bias"


def test_limits_and_sampling_come_from_the_request_else_from_the_model() -> None:
    model, _ = chat(n_ctx=60)
    prompt = model.prepare(ChatRequest(ASKED))
    assert prompt.params.max_tokens == 60 - len(prompt.ids)
    assert prompt.params.sampling.temperature == 0.5
    own = ChatRequest(ASKED, sampling=SamplingParams(temperature=0.0), max_tokens=7, priority=1)
    params = model.prepare(own).params
    assert (params.max_tokens, params.sampling.temperature, params.priority) == (7, 0.0, 1)


def test_a_call_that_must_not_come_is_banned_and_one_that_must_is_constrained() -> None:
    model, _ = chat(source=HERMES)
    none = model.prepare(ChatRequest(ASKED, TOOLS, "none"))
    assert none.params.sampling.logit_bias == ((VOCAB.token_id("<tool_call>"), -100.0),)
    assert (none.tool_names, none.params.grammar) == (frozenset(), None)
    must = model.prepare(ChatRequest(ASKED, TOOLS, "required"))
    assert must.tool_names == {"search", "fetch_url"}
    assert must.params.grammar is not None
    with pytest.raises(RequestError, match="prefill"):
        model.prepare(ChatRequest(ASKED, TOOLS, "required", prefill="Well"))


def test_the_beginning_of_text_stands_before_a_prompt_once() -> None:
    vocab = FakeVocab(bos=True)
    for source in (CHATML, "{{ bos_token }}" + CHATML):
        engine = FakeEngine()
        template = ChatTemplate(source, vocab.bos, vocab.eos)
        model = ChatModel("fake", vocab, engine, template, 999, SamplingParams())
        ids = model.prepare(ChatRequest(ASKED)).ids
        (bos,) = vocab.bos_ids
        assert ids[0] == bos
        assert ids.count(bos) == 1


def test_ids_of_calls_look_like_openais() -> None:
    ids = {new_call_id() for _ in range(50)}
    assert len(ids) == 50
    assert all(re.fullmatch("call_[0-9A-Za-z]{24}", each) for each in ids)


# everything but the noncharacters that prompts are marked with
PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="\ufdd0\ufdd1"), max_size=20)
SAID = PLAIN | st.sampled_from(["", "Hm.\n</think>\n\nI look.", CALLED, "<|im_end|>"])
LATER = st.lists(
    st.builds(Message, st.sampled_from(["tool", "user"]), PLAIN),
    min_size=1,
    max_size=3,
)


@settings(deadline=None)
@given(
    st.sampled_from([CHATML, HERMES, THINKER, SWITCHED]),
    st.lists(st.tuples(SAID, LATER), max_size=4),
)
def test_prompt_n_is_a_prefix_of_prompt_n_plus_1(
    source: str, turns: list[tuple[str, list[Message]]]
) -> None:
    model, _ = chat(source=source)
    request = ChatRequest(ASKED, TOOLS)
    prompt = model.prepare(request)
    for said, later in turns:
        generated = tuple(VOCAB.encode(said))
        longer = model.extend(prompt, wrote(generated), tuple(later), request)
        begun = prompt.ids + generated
        assert longer.ids[: len(begun)] == begun
        added = VOCAB.text(longer.ids[len(begun) :])
        assert added.startswith("<|im_end|>\n<|im_start|>user\n")
        assert all(m.content in added for m in later)
        assert longer.opens_thought == (source == THINKER)
        prompt = longer


def test_a_transcript_that_grew_past_the_window_is_refused() -> None:
    model, _ = chat(n_ctx=120)
    prompt = model.prepare(ChatRequest(ASKED))
    with pytest.raises(ContextOverflow):
        model.extend(prompt, wrote([65] * 90), (Message("user", "More?"),), ChatRequest(ASKED))


@pytest.mark.parametrize("fixture", ["smollm2_path", "qwen_path"])
def test_extending_says_what_rendering_everything_says(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    """Real vocabularies and templates, a turn of plain text and one with a call."""
    vocab = Vocab.load(request.getfixturevalue(fixture))
    model = ChatModel(
        "real", vocab, FakeEngine(), ChatTemplate.of(vocab), 4096, SamplingParams()
    )  # fmt: skip
    start = (Message("system", "Be brief."), Message("user", "Who?"))
    call = ToolCall("call_1", "search", '{"query": ["a"]}')
    results = (Message("tool", "Ada <|im_end|>", tool_call_id="call_1"), Message("tool", "none"))
    for message, written in (
        (Message("assistant", "I look."), "I look."),
        (Message("assistant", "I look.", tool_calls=(call,)), f"I look.\n{CALLED}"),
    ):
        asked = ChatRequest(start, TOOLS)
        prompt = model.prepare(asked)
        longer = model.extend(prompt, wrote(vocab.encode(written)), results, asked)
        whole = model.prepare(ChatRequest((*start, message, *results), TOOLS))
        assert longer.ids == whole.ids
    vocab.close()


async def test_a_required_call_of_a_real_model_obeys_its_schema(qwen_path: Path) -> None:
    engine = EngineClient(LoadSpec(str(qwen_path), 2048, 256, 2, 1), notice=lambda line: None)
    vocab = Vocab.load(qwen_path)
    greedy = SamplingParams(temperature=0.0)
    model = ChatModel("qwen", vocab, engine, ChatTemplate.of(vocab), 2048, greedy, 128)
    asked = (Message("user", "Find pages about the lighthouse of Alexandria."),)
    try:
        await engine.start()
        prompt = model.prepare(ChatRequest(asked, (SEARCH,), "required", False))
        events = [event async for event in model.stream(prompt)]
        (call,) = (e for e in events if isinstance(e, ToolCall))
        assert call.name == "search"
        assert all(isinstance(q, str) for q in json.loads(call.arguments)["query"])
        done = events[-1]
        assert isinstance(done, Done)
        assert (done.reason, done.malformed) == ("tool_calls", None)
        assert b"".join(map(vocab.piece, done.ids)).startswith(b"<tool_call>\n")

        result = (Message("tool", "The lighthouse stood on Pharos.", tool_call_id=call.id),)
        island = {"type": "string", "maxLength": 12}
        schema = {
            "properties": {"island": island},
            "required": ["island"],
            "additionalProperties": False,
        }
        answer = ChatRequest((), (SEARCH, FETCH), "none", response_schema=schema)
        longer = model.extend(prompt, wrote(done.ids), result, answer)
        whole = await model.complete(longer)
        assert set(json.loads(whole.text)) == {"island"}
        assert whole.done.usage.cached_tokens >= len(prompt.ids)
    finally:
        await engine.close()
        vocab.close()
