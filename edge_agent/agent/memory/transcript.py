"""The conversation of a run: appended to, and rendered again only when folded."""

from __future__ import annotations

from edge_agent.chat.messages import Chat, ChatRequest, Completion, Message, Prompt

HIGH_WATER = 0.8  # of the window: past it the transcript is folded before the next turn


class Transcript:
    """Prompt n and what was generated after it are a prefix of prompt n + 1."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._prompt: Prompt | None = None
        self._completion: Completion | None = None
        self._replies: tuple[Message, ...] = ()

    def start(self, request: ChatRequest) -> Prompt:
        """Begin, or begin again, from messages."""
        self._prompt = self._chat.prepare(request)
        return self._prompt

    def add(self, completion: Completion, replies: tuple[Message, ...]) -> None:
        """Note what the model wrote and what is answered to it."""
        self._completion = completion
        self._replies = replies

    def go_on(self, request: ChatRequest) -> Prompt:
        """The prompt of the next turn; raises ContextOverflow when it no longer fits."""
        assert self._prompt and self._completion, "go_on comes after start and add"
        self._prompt = self._chat.extend(self._prompt, self._completion, self._replies, request)
        return self._prompt

    def is_crowded(self, turn_tokens: int) -> bool:
        """Whether the next turn should begin from a folded transcript."""
        if self._prompt is None or self._completion is None:
            return False
        usage = self._completion.done.usage  # a server elsewhere counts what is only estimated here
        begun = (usage.prompt_tokens or self._prompt.n_tokens) + usage.completion_tokens
        replies = sum(self._chat.count(message.content) for message in self._replies)
        used = begun + replies
        return used + min(turn_tokens, self._chat.n_ctx // 8) > self._chat.n_ctx * HIGH_WATER
