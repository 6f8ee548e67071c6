"""A chat over a server that is not ours: what is sent."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.chat.messages import (
    ChatRequest,
    Grammar,
    Message,
    NamedTool,
    ToolCall,
)
from edge_agent.chat.remote.terms import Kind, terms_for
from edge_agent.chat.remote.wire import body_of
from edge_agent.engine.params import SamplingParams
from edge_agent.errors import (
    ContextOverflow,
)

from .backend import stream, text
from .fakes import FETCH, SEARCH, TOOLS
from .talk import ASKED, CALLED, PLAIN, talk


def body(request: ChatRequest, kind: Kind = "other") -> dict[str, Any]:
    return body_of(request, terms_for(kind), "m", request.sampling or PLAIN, request.max_tokens)


def test_a_server_we_know_is_told_every_setting_and_another_only_what_is_set() -> None:
    assert {"temperature": 0.5, "top_p": 1.0}.items() <= body(ChatRequest(ASKED)).items()
    assert not {"top_k", "min_p", "seed", "tools", "stop"} & set(body(ChatRequest(ASKED)))
    assert body(ChatRequest(ASKED), "vllm")["top_k"] == -1
    assert body(ChatRequest(ASKED), "llama-server")["top_k"] == 0
    own = SamplingParams(repeat_penalty=1.2, dry_multiplier=0.8, penalty_last_n=9, seed=4)
    llama = body(ChatRequest(ASKED, sampling=own), "llama-server")
    assert (llama["repeat_penalty"], llama["dry_multiplier"], llama["repeat_last_n"]) == (
        1.2,
        0.8,
        9,
    )
    fresh = ChatRequest(ASKED, fresh=True)
    assert body(fresh, "llama-server")["cache_prompt"] is False
    assert "cache_prompt" not in body(fresh, "vllm") | body(ChatRequest(ASKED), "llama-server")
    vllm = body(ChatRequest(ASKED, sampling=own), "vllm")
    assert (vllm["repetition_penalty"], vllm["seed"]) == (1.2, 4)
    assert "dry_multiplier" not in vllm


def test_grammars_thinking_prefill_and_tools_have_their_fields() -> None:
    gbnf, regex = Grammar("gbnf", 'root ::= "a"'), Grammar("regex", "a+")
    assert body(ChatRequest(ASKED, grammar=gbnf), "llama-server")["grammar"] == gbnf.text
    assert body(ChatRequest(ASKED, grammar=regex), "vllm")["structured_outputs"] == {"regex": "a+"}
    assert body(ChatRequest(ASKED, grammar=regex), "sglang")["regex"] == "a+"
    off = ChatRequest(ASKED, thinking_budget=0)
    assert body(off)["chat_template_kwargs"] == {"enable_thinking": False}
    budget = ChatRequest(ASKED, thinking_budget=64, thinking_close="Enough.", pin=True, priority=1)
    assert (
        body(budget, "edge-agent").items()
        >= {
            "thinking_budget_tokens": 64,
            "thinking_budget_message": "Enough.",
            "pin_prompt": True,
            "priority": "background",
        }.items()
    )
    assert not {"thinking_budget_tokens", "pin_prompt", "priority"} & set(body(budget, "vllm"))
    begun = body(ChatRequest(ASKED, prefill="It is"), "vllm")
    assert begun["messages"][-1] == {"role": "assistant", "content": "It is"}
    assert begun["continue_final_message"] is True
    named = body(ChatRequest(ASKED, TOOLS, NamedTool("search")), "llama-server")
    assert (named["tool_choice"], len(named["tools"])) == ("required", 1)
    one = ChatRequest(ASKED, TOOLS, parallel_tool_calls=False)
    assert (body(one)["tool_choice"], body(one)["parallel_tool_calls"]) == ("auto", False)


def test_a_tools_answer_to_no_call_is_a_users_message() -> None:
    call = ToolCall("c1", "search", "{}")
    messages = (
        *ASKED,
        Message("assistant", "", None, (call,)),
        Message("tool", "found", tool_call_id="c1"),
        Message("assistant", "Hm."),
        Message("tool", "write a call", tool_call_id="note"),
    )
    sent = body(ChatRequest(messages, TOOLS))["messages"]
    assert [message["role"] for message in sent] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]
    assert sent[1]["tool_calls"][0]["function"] == {"name": "search", "arguments": "{}"}


async def test_a_transcript_goes_on_as_messages() -> None:
    called = stream(
        {"reasoning_content": "Hm."}, {"content": "I look."}, {"tool_calls": CALLED[2:3]}
    )
    async with talk(called, text("Ada.")) as here:
        prompt = here.chat.prepare(ChatRequest(ASKED, (FETCH,)))
        first = await here.chat.complete(prompt)
        result = Message("tool", "Ada keeps it.", tool_call_id="c2")
        longer = here.chat.extend(
            prompt, first, (result,), ChatRequest((), (SEARCH,), max_tokens=7)
        )
        assert (await here.chat.complete(longer)).text == "Ada."
        sent = here.backend.bodies[1]
        assert [m["role"] for m in sent["messages"]] == ["user", "assistant", "tool"]
        said = sent["messages"][1]
        assert (said["content"], said["reasoning_content"]) == ("I look.", "Hm.")
        assert said["tool_calls"][0]["id"] == "c2"
        assert (sent["tools"][0]["function"]["name"], sent["max_tokens"]) == ("search", 7)
        # the server's own count, and an estimate of what is new
        assert 23 < longer.n_tokens < 23 + 30
        with pytest.raises(ContextOverflow):
            here.chat.extend(prompt, first, (Message("user", "word " * 900),), ChatRequest(()))
