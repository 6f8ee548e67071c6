"""A short answer in one generation, the same way in every baseline arm."""

from __future__ import annotations

from edge_agent.chat.messages import ChatRequest, Message
from edge_agent.engine.params import SamplingParams

GREEDY = SamplingParams(temperature=0)
ANSWER_TOKENS = 48
PROMPT_TOKENS = 200  # of the instruction, the question and the template around them, at most


def short_request(text: str) -> ChatRequest:
    """A few words, greedily, without a thought."""
    return ChatRequest(
        (Message("user", text),),
        sampling=GREEDY,
        max_tokens=ANSWER_TOKENS,
        thinking=False,
    )


def tidy(text: str) -> str:
    """The first line, without the words and marks that models put around an answer."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line.removeprefix("Answer:").strip("\"'“”*` ")
