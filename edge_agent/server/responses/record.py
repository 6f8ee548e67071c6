"""The object of a response before anything is written: what was asked for, as OpenAI echoes it."""

from __future__ import annotations

from typing import Any

from edge_agent.chat.messages import ChatRequest
from edge_agent.engine.params import SamplingParams
from edge_agent.server.responses.schemas import ChoiceObject, ResponseBody, ResponseTool

Json = dict[str, Any]


def base_of(
    body: ResponseBody, asked: ChatRequest, model: str, created_at: int, stored: bool
) -> Json:
    """Every field that clients expect; the id is the request's name."""
    sampling = asked.sampling or SamplingParams()
    return {
        "id": asked.name,
        "object": "response",
        "created_at": created_at,
        "completed_at": None,
        "status": "in_progress",
        "background": bool(body.background),
        "error": None,
        "incomplete_details": None,
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "max_tool_calls": body.max_tool_calls,
        "model": model,
        "output": [],
        "parallel_tool_calls": asked.parallel_tool_calls,
        "previous_response_id": body.previous_response_id,
        "prompt_cache_key": body.prompt_cache_key,
        "reasoning": _reasoning(body),
        "safety_identifier": body.safety_identifier,
        "service_tier": "default",
        "store": stored,
        "temperature": sampling.temperature,
        "text": _text(body),
        "tool_choice": _choice(body),
        "tools": [_tool(tool) for tool in body.tools or []],
        "top_logprobs": body.top_logprobs or 0,
        "top_p": sampling.top_p,
        "truncation": body.truncation or "disabled",
        "usage": None,
        "user": body.user,
        "metadata": body.metadata or {},
    }


def _reasoning(body: ResponseBody) -> Json:
    given = body.reasoning
    return {"effort": given and given.effort, "summary": given and given.summary}


def _text(body: ResponseBody) -> Json:
    text = body.text.model_dump(by_alias=True, exclude_none=True) if body.text else {}
    return {"format": {"type": "text"}, **text}


def _choice(body: ResponseBody) -> Any:
    choice = body.tool_choice
    if isinstance(choice, ChoiceObject):
        return choice.model_dump(exclude_none=True)
    return choice or "auto"


def _tool(tool: ResponseTool) -> Json:
    return {
        "type": tool.type,
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": tool.strict,
    }
