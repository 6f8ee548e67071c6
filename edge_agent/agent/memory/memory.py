"""The window of a run: what stays in it, what is folded, and how."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from edge_agent.agent.memory.folding import View, least_worth, oldest
from edge_agent.agent.memory.items import Item, of_facts
from edge_agent.agent.memory.recall import told
from edge_agent.agent.memory.transcript import FRAME_TOKENS, Span, Transcript
from edge_agent.agent.refine.evidence import Evidence, Fact, as_text
from edge_agent.agent.refine.ranker import Ranker
from edge_agent.chat.messages import Chat, ChatRequest, Completion, Message, Prompt
from edge_agent.errors import ContextOverflow

Way: TypeAlias = Literal["prune", "prefill", "drop"]
Request: TypeAlias = Callable[
    [str], ChatRequest
]  # of the next turn, told what is known: notes or ""

CITED_WORTH = 2.0  # added to the worth of a fact that the model has named by its number
HEADROOM_SHARE = 8  # at most an eighth of the window is kept free for the next turn
LINE_TOKENS = 2  # around a fact: its line end, and its part of a title
CITED = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Policy:
    """How a window is kept.

    way: "prune" cuts what is folded out of the cached tokens and moves the rest down; "prefill"
    cuts it out of the ids and computes the rest again; "drop" forgets the oldest observations
    without judging them, computes the rest again, and tells nothing of it.
    high, low: shares of the window. Past `high` the transcript is folded before the next turn, and
    then to `low`, so that it happens seldom. turn_tokens: most that a turn may write.
    notes_tokens: most tokens of facts that a transcript begins with.
    recalls: the model has a tool that shows folded facts again, and is told which there are.
    """

    way: Way = "prune"
    high: float = 0.8
    low: float = 0.5
    turn_tokens: int = 512
    notes_tokens: int = 1200
    recalls: bool = False


class Memory:
    """Makes the prompt of each turn out of what was said, and folds when the window fills up.

    folds: how often. Everything that was folded stays in the evidence.
    """

    def __init__(
        self, chat: Chat, ranker: Ranker, task: str, evidence: Evidence, policy: Policy
    ) -> None:
        self._chat = chat
        self._ranker = ranker
        self._task = task
        self._evidence = evidence
        self._policy = policy
        self._transcript = Transcript(chat)
        self._cited: set[int] = set()
        self._notice: Item | None = None  # what the model is told of the fold before this turn
        self.folds = 0

    def add(
        self, completion: Completion, replies: tuple[Message, ...], items: Sequence[Item] = ()
    ) -> None:
        """Note what the model wrote and what is answered to it, which is made of these items."""
        written = f"{completion.thought} {completion.text}"
        self._cited.update(int(number) for number in CITED.findall(written))
        self._transcript.add(completion, replies, items)

    async def next_prompt(self, request: Request) -> Prompt:
        """The prompt of the next turn; until a turn is added it stays the same.

        Raises ContextOverflow when not even the task fits.
        """
        if not self._transcript.unanswered:
            return self._transcript.prompt or await self._begin(request)
        if not await self._fits():
            return await self._begin(request)
        try:
            return self._transcript.go_on(request(""), self._notice)
        except ContextOverflow:  # counts of what is not encoded yet are estimates
            return await self._begin(request)

    # what is in the window

    @property
    def spans(self) -> tuple[Span, ...]:
        """What the present prompt is made of, and what was generated after it."""
        return self._transcript.spans

    @property
    def reprefilled_tokens(self) -> int:
        """Prompt tokens computed that an earlier turn had computed already."""
        return self._transcript.reprefilled_tokens

    @property
    def missing(self) -> frozenset[int]:
        """Numbers of the facts that are in the evidence and not in the window."""
        shown = {item.fact for item in self._transcript.items}
        return frozenset(fact.number for fact in self._evidence) - shown

    # folding

    async def _fits(self) -> bool:
        """Whether the transcript can go on as it is, or does after folding."""
        self._notice = None
        over = self._over(self._policy.high)
        if over <= 0:
            return True
        chosen = await self._chosen(self._over(self._policy.low))
        if sum(map(len, chosen)) < over:
            return False
        self.folds += 1
        await self._transcript.cut(chosen, move=self._policy.way == "prune")
        self._notice = self._told()
        return True

    def _over(self, share: float) -> int:
        """By how many tokens the next turn would pass a share of the window."""
        room = min(self._policy.turn_tokens, self._chat.n_ctx // HEADROOM_SHARE)
        return self._transcript.used + room - int(self._chat.n_ctx * share)

    async def _chosen(self, need: int) -> list[Span]:
        prompt = self._transcript.prompt
        length = len(prompt.ids) if prompt is not None else 0
        if self._policy.way == "drop":
            return oldest(self.spans, View(self._transcript.turn, length), need)
        pending = self._transcript.pending
        view = View(
            self._transcript.turn,
            length,
            frozenset(fact.number for fact in self._evidence if self._evidence.is_marked(fact)),
            frozenset(item.fact for item in pending if item.fact),
            any(item.kind == "answer" for item in pending),
            await self._worth(),
        )
        return least_worth(self.spans, view, need)

    async def _worth(self) -> dict[int, float]:
        """How much each fact has to do with the task."""
        facts = list(self._evidence)
        titles, passages = [f.page.title for f in facts], [f.passage for f in facts]
        scores = await asyncio.to_thread(self._ranker.scores, self._task, titles, passages)
        return {
            fact.number: float(score) + (CITED_WORTH if fact.number in self._cited else 0.0)
            for fact, score in zip(facts, scores, strict=True)
        }

    def _told(self) -> Item | None:
        """What the model is told of what was folded."""
        text = told(self.missing, self._evidence) if self._recalls else ""
        return Item("folded", text) if text else None

    @property
    def _recalls(self) -> bool:
        return self._policy.recalls and self._policy.way != "drop"

    # beginning, and beginning again

    async def _begin(self, request: Request) -> Prompt:
        """A transcript that starts from what is known."""
        self.folds += self._transcript.prompt is not None
        facts = await self._kept(self._room(request("")))
        items = [*of_facts(as_text(facts)), *self._last_answer()]
        if self._recalls and self.folds:
            gone = {fact.number for fact in self._evidence} - {fact.number for fact in facts}
            items.append(Item("folded", told(gone, self._evidence)))
        text = "\n".join(item.text for item in items if item.text)
        try:
            return self._transcript.start(request(text), items)
        except ContextOverflow:  # a small window: the facts stay in the evidence
            return self._transcript.start(request(""))

    def _room(self, bare: ChatRequest) -> int:
        """Tokens of facts that a transcript may begin with."""
        texts = [message.content for message in bare.messages]
        texts += [json.dumps(dict(tool.parameters)) + tool.description for tool in bare.tools]
        head = sum(self._chat.count(text) + FRAME_TOKENS for text in texts)
        return min(self._policy.notes_tokens, int(self._chat.n_ctx * self._policy.low) - head)

    async def _kept(self, room: int) -> list[Fact]:
        """As many facts as fit: marked ones, those of the last turn, then by worth."""
        if not len(self._evidence):
            return []
        worth = await self._worth()
        fresh = {item.fact for item in self._transcript.pending}
        order = sorted(
            self._evidence,
            key=lambda f: (self._evidence.is_marked(f), f.number in fresh, worth[f.number]),
            reverse=True,
        )
        kept: list[Fact] = []
        for fact in order:
            cost = self._chat.count(fact.line) + LINE_TOKENS
            if cost <= room:
                kept.append(fact)
                room -= cost
        return sorted(kept, key=lambda fact: fact.number)

    def _last_answer(self) -> list[Item]:
        answers = [item for item in self._transcript.items if item.kind == "answer"]
        return [item.alone() for item in answers[-1:]]
