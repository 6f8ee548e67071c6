"""Token ids by span: nothing moves while nothing is folded, and every token is accounted for."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.agent.memory.items import Item, observed, of_facts
from edge_agent.agent.memory.transcript import Span, Transcript
from edge_agent.agent.records import Note
from edge_agent.chat.messages import ChatRequest, Completion, Done, Message, Prompt, ToolCall
from edge_agent.chat.model import ChatModel
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.vocab import Vocab
from edge_agent.engine.params import SamplingParams, Usage

from ...chat.fakes import TOOLS, FakeEngine

# Past thoughts are shown only behind the last message a person wrote, as Qwen3's template does.
FORGETFUL = """\
{%- set ns = namespace(asked=-1) %}
{%- for m in messages %}
{%- if m.role == 'user' and not m.content.startswith('<tool_response>') %}
{%- set ns.asked = loop.index0 %}{% endif %}
{%- endfor %}
{%- for m in messages %}
{%- if m.role == 'tool' %}
{{- '<|im_start|>user\\n<tool_response>\\n' + m.content + '\\n</tool_response><|im_end|>\\n' }}
{%- else %}
{{- '<|im_start|>' + m.role + '\\n' }}
{%- if loop.first and tools %}{{ 'Tools: ' + tools | tojson + '\\n' }}{% endif %}
{%- if m.reasoning_content and loop.index0 > ns.asked %}
{{- '<think>\\n' + m.reasoning_content + '\\n</think>\\n\\n' }}{% endif %}
{{- m.content }}
{%- for call in m.tool_calls or [] %}
{{- '<tool_call>\\n' + call.function | tojson + '\\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n<think>\\n' }}{% endif %}
"""
OPENING = (Message("system", "You look things up."), Message("user", "Who built the pier?"))
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cn"]), min_size=1, max_size=60
)
TURN = st.tuples(TEXT, TEXT, st.lists(TEXT, min_size=1, max_size=3))


@pytest.fixture(scope="module")
def smollm2(smollm2_path: Path) -> Vocab:
    return Vocab.load(smollm2_path)


@pytest.fixture(scope="module")
def qwen(qwen_path: Path) -> Vocab:
    return Vocab.load(qwen_path)


def chat(vocab: Vocab, template: ChatTemplate, n_ctx: int = 8192) -> ChatModel:
    return ChatModel("m", vocab, FakeEngine(), template, n_ctx, SamplingParams())


def request() -> ChatRequest:
    return ChatRequest(OPENING, TOOLS, pin=True, max_tokens=50)


def said(vocab: Vocab, thought: str, text: str, prompt: Prompt, computed: int = 0) -> Completion:
    """A turn as a model writes it: the ids are the truth, whatever the text says."""
    ids = vocab.encode(f"{thought}\n</think>\n\n{text}", special=False)
    usage = Usage(len(prompt.ids), len(prompt.ids) - computed, len(ids))
    call = ToolCall("c1", "search", '{"query": ["x"]}')
    return Completion(text, thought, (call,), Done("stop", usage, tuple(ids)))


def fact_items(texts: list[str], since: int) -> tuple[Item, ...]:
    lines = [f"[{i}] {' '.join(text.split()) or '-'}" for i, text in enumerate(texts, since)]
    return tuple(of_facts("\n".join(["From “Pier”:", *lines])))


def walk(
    vocab: Vocab, template: ChatTemplate, turns: list[tuple[str, str, list[str]]]
) -> tuple[list[Prompt], list[Completion], Transcript, list[Item]]:
    model = chat(vocab, template)
    transcript = Transcript(model)
    prompts, written, told = [transcript.start(request())], list[Completion](), list[Item]()
    for thought, text, facts in turns:
        items = fact_items(facts, len(told))
        reply = Message("tool", "\n".join(item.text for item in items), tool_call_id="c1")
        written.append(said(vocab, thought, text, prompts[-1]))
        transcript.add(written[-1], (reply,), items)
        told += items
        prompts.append(transcript.go_on(request()))
    return prompts, written, transcript, told


def decoded(vocab: Vocab, prompt: Prompt, span: Span) -> str:
    ids = prompt.ids[span.start : span.stop]
    return b"".join(map(vocab.piece, ids)).decode("utf-8", "replace")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TURN, min_size=1, max_size=4))
def check_the_prefix(smollm2: Vocab, qwen: Vocab, turns: list[tuple[str, str, list[str]]]) -> None:
    for vocab, template in ((smollm2, ChatTemplate.of(smollm2)), (qwen, ChatTemplate(FORGETFUL))):
        prompts, written, transcript, told = walk(vocab, template, turns)
        for (before, after), completion in zip(pairwise(prompts), written, strict=True):
            known = before.ids + completion.done.ids
            assert after.ids[: len(known)] == known
            assert len(after.ids) > len(known)
        spans = transcript.spans
        assert [s.start for s in spans] == [0, *(s.stop for s in spans[:-1])]  # they tile
        assert spans[-1].stop == len(prompts[-1].ids)
        for turn, completion in enumerate(written, 1):
            own = [s for s in spans if s.turn == turn and s.kind in ("turn", "thought")]
            ids = [i for s in own for i in prompts[-1].ids[s.start : s.stop]]
            assert tuple(ids) == completion.done.ids  # thoughts included, as generated
        shown = [s for s in spans if s.item is not None]
        # a text of white space that a tokenizer merges with what is around it may not be found
        assert len(shown) >= len([i for i in told if i.kind == "title"])
        for span in shown:
            assert span.item is not None
            assert decoded(vocab, prompts[-1], span).strip() in span.item.text


def test_prompt_n_is_a_prefix_of_prompt_n_plus_1(smollm2: Vocab, qwen: Vocab) -> None:
    check_the_prefix(smollm2, qwen)


def test_spans_say_what_stands_where(qwen: Vocab) -> None:
    thought = "The pier is old. I look for its builder."
    turns = [(thought, "I search.", ["The pier was built by Ines Hald.", "It is 90 m long."])]
    prompts, written, transcript, _ = walk(qwen, ChatTemplate(FORGETFUL), turns)
    kinds = [span.kind for span in transcript.spans]
    assert kinds == [
        "system", "task", "thought", "turn", "frame", "title", "fact", "fact", "frame",
    ]  # fmt: skip
    texts = [decoded(qwen, prompts[-1], span) for span in transcript.spans]
    assert "You look things up." in texts[0]
    assert "search" in texts[0]  # the tools
    assert "Who built the pier?" in texts[1]
    assert texts[2].strip() == thought
    assert texts[3].endswith("I search.")
    assert texts[6] == "[0] The pier was built by Ines Hald.\n"
    assert texts[8].startswith("</tool_response>")
    assert texts[8].endswith("<|im_start|>assistant\n<think>\n")
    assert transcript.turn == len(written) == 1


async def test_what_is_cut_is_gone_and_the_rest_keeps_its_names(qwen: Vocab) -> None:
    turns = [
        (f"thought no. {i}", "I search.", [f"fact {i}a, well known.", f"fact {i}b, less known."])
        for i in range(3)
    ]
    prompts, _, transcript, _ = walk(qwen, ChatTemplate(FORGETFUL), turns)
    transcript.add(said(qwen, "last", "I go on.", prompts[-1]), (Message("tool", "x"),))
    before = {s: decoded(qwen, prompts[-1], s) for s in transcript.spans}
    chosen = [s for s in transcript.spans if s.kind == "thought" and s.turn == 2]
    chosen += [s for s in transcript.spans if s.item is not None and s.item.fact in (0, 4)]
    assert len(chosen) >= 3
    await transcript.cut(chosen, move=False)
    assert transcript.prompt is not None
    assert not transcript.prompt.params.accept_pruned
    left = [s for s in before if s not in chosen]
    assert [(s.kind, s.turn, len(s)) for s in transcript.spans] == [
        (s.kind, s.turn, len(s)) for s in left
    ]
    written = len(prompts[-1].ids)
    for old, new in zip(left, transcript.spans, strict=True):
        if old.stop <= written:
            assert decoded(qwen, transcript.prompt, new) == before[old]
    after = transcript.go_on(request())
    assert transcript.spans[-1].stop == len(after.ids)


def test_tokens_computed_twice_are_counted_from_spans(qwen: Vocab) -> None:
    model = chat(qwen, ChatTemplate(FORGETFUL))
    transcript = Transcript(model)
    first = transcript.start(request())
    one = said(qwen, "hm", "I search.", first, computed=len(first.ids))
    transcript.add(one, (Message("tool", "a fact"),))
    second = transcript.go_on(request())
    new = len(second.ids) - len(first.ids) - len(one.done.ids) + 1
    assert transcript.reprefilled_tokens == 0
    transcript.add(said(qwen, "hm", "I go on.", second, new + 40), (Message("tool", "b"),))
    assert transcript.reprefilled_tokens == 40
    restarted = transcript.start(request())
    unread = transcript.reprefilled_tokens
    transcript.add(said(qwen, "", "End.", restarted, len(restarted.ids)), ())
    assert transcript.reprefilled_tokens > unread  # the opening is computed once more


def test_replies_added_later_stand_behind_the_first(qwen: Vocab) -> None:
    transcript = Transcript(chat(qwen, ChatTemplate(FORGETFUL)))
    prompt = transcript.start(request())
    one = said(qwen, "hm", "I search.", prompt)
    transcript.add(one, (Message("tool", "[1] a fact"),), [Item("fact", "[1] a fact", 1)])
    nothing = Completion("", "", (), Done("stop", Usage()))
    transcript.add(nothing, (Message("tool", "[2] another"),), [Item("fact", "[2] another", 2)])
    after = transcript.go_on(request())
    known = prompt.ids + one.done.ids
    assert after.ids[: len(known)] == known
    assert [s.item.fact for s in transcript.spans if s.item] == [1, 2]


def test_a_page_without_facts_and_a_repeat_are_named() -> None:
    notes = [
        Note("web", "u", "Pier", "From “Pier”:\n[3] (Works) Ines Hald built it.\n[9] It is long."),
        Note("web", "v", "Market", ""),
    ]
    items = observed("Results for “pier”:\n1. Pier (u): long", notes)
    assert [item.kind for item in items] == ["results", "title", "fact", "fact", "empty"]
    assert [item.fact for item in items] == [0, 0, 3, 9, 0]
    assert items[2].title == "Pier"
    assert items[4].text == "Nothing useful on “Market”."
    assert [i.kind for i in observed("Asked before.", [], repeated=True)] == ["repeat"]
    assert [i.kind for i in observed("Error: gone", [], failed=True)] == ["empty"]
    assert observed(" ", []) == ()
