"""Every route and its page; a route without one fails a test."""

from __future__ import annotations

from collections.abc import Mapping

from edge_agent.server.document.page import (
    BASE,
    EVENTS,
    JSON,
    MODEL,
    TEXT,
    Json,
    Page,
    data,
    delete,
    get,
    id_of,
    post,
    reading,
)

QUESTION: Json = {"role": "user", "content": "What is the capital of Norway?"}
CHAT: Json = {"messages": [QUESTION], "max_tokens": 64}
MESSAGE: Json = {"model": "auto", **CHAT}
STORY = "Write a long story about a lighthouse."  # under way when it is told to stop thinking
LONG: Json = {"messages": [{"role": "user", "content": STORY}], "max_tokens": 1024}
THINKING: Json = {**LONG, "stream": True, "reasoning_effort": "high"}
INPUT: Json = {"input": "What is the capital of Norway?", "max_output_tokens": 64}
THOUGHT: Json = {
    "input": STORY,
    "max_output_tokens": 1024,
    "stream": True,
    "reasoning": {"effort": "high"},
}
TASK: Json = {"task": "Who keeps the light on the isle?", "limits": {"steps": 4, "seconds": 120}}
BACKGROUND: Json = {"background": True}
PROMPT: Json = {"prompt": "The capital of Norway is", "max_tokens": 16}
NATIVE: Json = {"prompt": PROMPT["prompt"], "n_predict": 16}
CODE: Json = {"input_prefix": "def double(x):\n    return ", "input_suffix": "\n", "n_predict": 16}
TEXTS: Json = {"input": ["The ferry leaves at dawn.", "A boat sails."]}
RANKED: Json = {
    "query": "When does the ferry leave?",
    "documents": ["The council raised a tax.", "The boat sails at dawn."],
    "top_n": 1,
}
TOOL: Json = {"tool": "search", "params": {"query": ["keeper of the light"]}}
EITHER = ("object", "array")
TOLD = (JSON, EVENTS)
ACCEPTED = {202: "The run, which goes on by itself; Location says where it is read."}
NEVER: Mapping[int, str] = {}

NAME = reading("NAME", "/v1/models", '["data"][0]["id"]')
RUN = id_of("/agent/run", {**TASK, **BACKGROUND})
RESPONSE = id_of("/v1/responses", INPUT)
UNDER_WAY = id_of("/v1/responses", {**INPUT, **BACKGROUND})


def streamed(path: str, body: Json, prefix: str) -> str:
    """Lines of shell that begin a stream and set ID to its id, which is in each of its events."""
    return (
        f"curl -sN {BASE}{path} {data(body)} > stream.txt &\n"
        f"sleep 1; ID=$(grep -oE '{prefix}[0-9a-f]+' stream.txt | head -n 1)\n"
    )


CHATS: Mapping[str, Page] = {
    "POST /v1/chat/completions": post("/v1/chat/completions", CHAT, *MODEL, kinds=TOLD),
    "POST /v1/chat/completions/input_tokens": post(
        "/v1/chat/completions/input_tokens", CHAT, 501, 503
    ),
    "POST /v1/chat/completions/{id}/stop_thinking": post(
        "/v1/chat/completions/$ID/stop_thinking",
        None,
        *(404, 501),
        before=streamed("/v1/chat/completions", THINKING, "chatcmpl-"),
    ),
    "POST /v1/completions": post("/v1/completions", PROMPT, *MODEL, kinds=TOLD),
    "POST /completion": post("/completion", NATIVE, *MODEL, kinds=TOLD, shapes=EITHER),
    "POST /infill": post("/infill", CODE, *MODEL, kinds=TOLD, shapes=EITHER),
    "POST /v1/messages": post(
        "/v1/messages", MESSAGE, *(404, 500, 503), kinds=TOLD, error="AnthropicError"
    ),
    "POST /v1/messages/count_tokens": post(
        "/v1/messages/count_tokens", MESSAGE, 500, 503, error="AnthropicError"
    ),
}

RESPONSES: Mapping[str, Page] = {
    "POST /v1/responses": post("/v1/responses", INPUT, *MODEL, 409, kinds=TOLD),
    "POST /v1/responses/input_tokens": post(
        "/v1/responses/input_tokens", {"input": INPUT["input"]}, 404, 409, 501, 503
    ),
    "GET /v1/responses/{id}": get("/v1/responses/$ID", 400, 404, 501, before=RESPONSE, kinds=TOLD),
    "DELETE /v1/responses/{id}": delete("/v1/responses/$ID", 404, 501, before=RESPONSE),
    "POST /v1/responses/{id}/cancel": post(
        "/v1/responses/$ID/cancel", None, 400, 404, 501, before=UNDER_WAY
    ),
    "POST /v1/responses/{id}/stop_thinking": post(
        "/v1/responses/$ID/stop_thinking",
        None,
        *(404, 501),
        before=streamed("/v1/responses", THOUGHT, "resp_"),
    ),
    "GET /v1/responses/{id}/input_items": get(
        "/v1/responses/$ID/input_items?order=asc", 400, 404, 501, before=RESPONSE
    ),
}

AGENT: Mapping[str, Page] = {
    "POST /agent/run": post(
        "/agent/run",
        TASK,
        *MODEL,
        502,
        kinds=TOLD,
        answers={
            200: "The finished run; with `stream`, its events.",
            202: "With `background`: the run as it stands, which goes on by itself.",
        },
    ),
    "GET /agent/runs": get("/agent/runs?limit=5", 400, 404, 501),
    "GET /agent/runs/{id}": get("/agent/runs/$ID", 404, 501, before=RUN),
    "GET /agent/runs/{id}/events": get(
        "/agent/runs/$ID/events",
        *(400, 404, 501),
        before=RUN,
        kinds=(EVENTS,),
        answers={
            200: "The events, until the run has ended.",
            204: "All was told, and the run has ended.",
        },
    ),
    "POST /agent/runs/{id}/cancel": post("/agent/runs/$ID/cancel", None, 404, 409, 501, before=RUN),
    "POST /agent/runs/{id}/resume": post(
        "/agent/runs/$ID/resume",
        None,
        *(404, 409, 501, 503),
        before=f"{RUN}curl -s {BASE}/agent/runs/$ID/cancel -X POST\n",
        answers=ACCEPTED,
    ),
    "POST /agent/runs/{id}/follow-up": post(
        "/agent/runs/$ID/follow-up",
        {"task": "And since when?"},
        *(404, 409, 501, 503),
        before=f"{RUN}curl -s {BASE}/agent/runs/$ID/events\n",
        answers=ACCEPTED,
    ),
}

TEXT_ROUTES: Mapping[str, Page] = {
    "POST /tokenize": post("/tokenize", {"content": "Hello there", "with_pieces": True}, 501),
    "POST /detokenize": post("/detokenize", {"tokens": [33, 34, 35]}, 501),
    "POST /apply-template": post("/apply-template", {"messages": [QUESTION]}, 501),
    "POST /v1/embeddings": post("/v1/embeddings", TEXTS, 501),
    "POST /v1/rerank": post("/v1/rerank", RANKED, 501, shapes=EITHER),
}

DEVICE: Mapping[str, Page] = {
    "GET /": get("/"),
    "GET /v1/models": get("/v1/models"),
    "GET /v1/models/{name}": get("/v1/models/$NAME", 404, before=NAME),
    "GET /health": get("/health", 503),
    "GET /props": get("/props"),
    "POST /props": post("/props", None, 501, answers=NEVER),
    "GET /slots": get("/slots", 400, 501, 503, shapes=("array",)),
    "POST /slots/{id}": post("/slots/0?action=save", None, 400, 501, answers=NEVER),
    "GET /metrics": get("/metrics", 501, kinds=(TEXT,)),
}

TOOLS: Mapping[str, Page] = {
    "GET /tools": get("/tools", 501, shapes=("array",)),
    "POST /tools": post("/tools", TOOL, 404, 501, kinds=TOLD),
    "GET /tools/approvals": get("/tools/approvals", 501, shapes=("array",)),
    "POST /tools/approvals/{id}": post(
        "/tools/approvals/$ID",
        {"allow": True},
        *(404, 501),
        before=reading("ID", "/tools/approvals", '[0]["id"]'),
    ),
}

PAGES: Mapping[str, Page] = {**CHATS, **RESPONSES, **AGENT, **TEXT_ROUTES, **DEVICE, **TOOLS}
