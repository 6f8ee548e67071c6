"""Lets a model take the agent's turns: greedily, with nothing that holds it to a schema."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from edge_agent.chat.formats import THINK_OPEN, detect
from edge_agent.chat.messages import ChatRequest
from edge_agent.chat.prompt import PromptWriter
from edge_agent.chat.template import ChatTemplate
from edge_agent.chat.vocab import Vocab
from quantize.compare.turns import Taken, read_turns, score
from quantize.context import BATCH, Loaded

TURN_TOKENS = 160  # most of one turn: a call has about 40


class Greedy:
    """Writes the likeliest token again and again, `limit` at most; what a new prompt shares with
    the last one is not read a second time."""

    def __init__(self, model: Loaded, n_ctx: int, limit: int) -> None:
        self._model = model
        self._n_ctx = n_ctx
        self._limit = limit
        self._held: list[int] = []

    def write(self, prompt: Sequence[int]) -> tuple[str, bool]:
        """What it writes, marks included, and whether it ended by itself."""
        ids, end = list(prompt), min(len(prompt) + self._limit, self._n_ctx)
        while len(ids) < end:
            id = self._next(ids)
            if self._model.ends(id):
                return self._model.text(ids[len(prompt) :]), True
            ids.append(id)
        return self._model.text(ids[len(prompt) :]), False

    def _next(self, ids: Sequence[int]) -> int:
        shared = self._shared(ids)
        self._model.cut(shared)
        for at in range(shared, len(ids), BATCH):
            part = ids[at : at + BATCH]
            logits = self._model.read(part, at, 1 if at + len(part) == len(ids) else 0)
        self._held = list(ids)
        return int(logits[0].argmax())

    def _shared(self, ids: Sequence[int]) -> int:
        """Tokens in common with what was read, all but the last at most."""
        pairs = zip(self._held, ids[:-1], strict=False)
        return next((i for i, (held, id) in enumerate(pairs) if held != id), self._least(ids))

    def _least(self, ids: Sequence[int]) -> int:
        return min(len(self._held), len(ids) - 1)


def take_turns(greedy: Greedy, path: Path, step: Callable[[int, int], None]) -> list[Taken]:
    """All turns of the set, in its order. Prompts are written as the server writes them."""
    tools, turns = read_turns()
    vocab = Vocab.load(path)
    template = ChatTemplate.of(vocab)
    form = detect(template.source, vocab.token_id(THINK_OPEN) is not None)
    writer, taken = PromptWriter(vocab, template, form), []
    for i, turn in enumerate(turns):
        rendered = writer.conversation(ChatRequest(turn.messages, tools, thinking=False))
        text, ended = greedy.write([*vocab.bos_ids, *writer.ids(rendered.text)])
        taken.append(score(turn, tools, text, ended, rendered.opens_thought))
        step(i + 1, len(turns))
    return taken
