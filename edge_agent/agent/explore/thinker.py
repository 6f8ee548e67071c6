"""One turn of the model: asked for, watched while it is written, and asked again when it is bad."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from edge_agent.agent.explore.budget import Budget
from edge_agent.agent.explore.repetition import Repetition
from edge_agent.agent.explore.turn import Call, Dialect, Turn
from edge_agent.agent.records import Retried, RunEvent, TextDelta, ThoughtDelta
from edge_agent.chat.edits import rollback
from edge_agent.chat.messages import Chat, Completion, Done, Prompt, Text, Thought, ToolCall
from edge_agent.engine.params import SamplingParams, Usage

LOOPED = "Error: the turn repeated itself and was stopped. Call a tool, or answer."
WARMER = 0.1  # added to the temperature for every retry after the first
WARM = 0.3  # temperature for every retry of a greedy model, which would say the same again
LEAST_THOUGHT = 256  # tokens of thought a retry is left after a thought that did not end
NOTHING = Completion("", "", (), Done("stop", Usage()))


@dataclass(frozen=True, slots=True)
class Thinking:
    """A turn and the generation it was read from. retries: bad ones thrown away before it.

    given: the model was not asked for it.
    """

    turn: Turn
    completion: Completion = NOTHING
    retries: int = 0
    given: bool = False


@dataclass(frozen=True, slots=True)
class _Written:
    """A generation. looped: it was stopped because it repeated itself, so its ids are unknown."""

    completion: Completion
    looped: bool = False

    @property
    def overthought(self) -> bool:
        """Whether it never came out of its thought."""
        over = self.looped or self.completion.done.reason == "length"
        return over and bool(self.completion.thought) and not self.completion.text.strip()


class Thinker:
    """Asks the model for its turns. What is thrown away never reaches the transcript.

    is_repeat: whether a call was made before, to the letter. retries: at most, in one turn.
    """

    def __init__(
        self,
        chat: Chat,
        dialect: Dialect,
        budget: Budget,
        emit: Callable[[RunEvent], None],
        is_repeat: Callable[[Call], bool],
        retries: int,
    ) -> None:
        self._chat = chat
        self._dialect = dialect
        self._budget = budget
        self._emit = emit
        self._is_repeat = is_repeat
        self._retries = retries

    async def think(self, number: int, prompt: Prompt) -> Thinking:
        """The turn of step `number`: the first that is good, else the last there was time for."""
        retries = 0
        while True:
            written = await self._write(number, prompt)
            turn = self._read(written)
            why = LOOPED if written.looped else self._fault(turn)
            if why is None or retries >= self._retries or self._budget.tokens_left <= 0:
                break
            retries += 1
            self._emit(Retried(number, why))
            if not written.looped:  # the ids of one that was stopped never came
                await rollback(self._chat, prompt, written.completion)
            prompt = again(prompt, retries, self._budget.tokens_left, written.overthought)
        if turn.thought and not self._dialect.writes_prose:
            self._emit(ThoughtDelta(number, turn.thought))
        kept = _without_ids(written.completion) if written.looped else written.completion
        return Thinking(turn, kept, retries)

    async def _write(self, number: int, prompt: Prompt) -> _Written:
        """One generation, told while it is written, and stopped once it goes round in circles."""
        thought, text, calls = "", "", list[ToolCall]()
        watch = {Thought: Repetition(), Text: Repetition()}
        done: Done | None = None
        async with contextlib.aclosing(self._chat.stream(prompt)) as events:
            async for event in events:
                if isinstance(event, Done):
                    done = event
                elif isinstance(event, ToolCall):
                    calls.append(event)
                elif isinstance(event, Text | Thought):
                    self._tell(number, event)
                    thought += event.text if isinstance(event, Thought) else ""
                    text += event.text if isinstance(event, Text) else ""
                    if watch[type(event)].feed(event.text):
                        break
        looped = done is None
        end = done or Done("length", self._estimated(prompt, thought + text))
        self._budget.add(end.usage)
        return _Written(Completion(text, thought, tuple(calls), end), looped)

    def _tell(self, number: int, event: Thought | Text) -> None:
        if isinstance(event, Thought):
            self._emit(ThoughtDelta(number, event.text))
        elif self._dialect.writes_prose:
            self._emit(TextDelta(number, event.text))

    def _estimated(self, prompt: Prompt, wrote: str) -> Usage:
        """The account of a generation that was stopped, which sends none itself."""
        n_prompt = prompt.n_tokens
        return Usage(n_prompt, n_prompt, self._chat.count(wrote))

    def _read(self, written: _Written) -> Turn:
        turn = self._dialect.read(written.completion)
        if written.looped and not turn.calls:
            return replace(turn, answer="", error=LOOPED)
        return turn

    def _fault(self, turn: Turn) -> str | None:
        """What is bad about a turn, if anything is."""
        if turn.error is not None:
            return turn.error
        if turn.calls and all(self._is_repeat(call) for call in turn.calls):
            return "The same call was made before."
        return None


def again(prompt: Prompt, retries: int, tokens_left: int, overthought: bool) -> Prompt:
    """The same prompt, to be answered differently: another seed, then warmer, then less thought."""
    params = prompt.params
    most = min(params.max_tokens or tokens_left, tokens_left)
    thought = params.thought
    if thought is not None and overthought:
        thought = replace(thought, budget=_less(thought.budget, most))
    params = replace(
        params, sampling=_warmer(params.sampling, retries), max_tokens=max(1, most), thought=thought
    )
    request = prompt.request
    if request is not None:
        sampling = request.sampling and _warmer(request.sampling, retries)
        budget = request.thinking_budget
        budget = _less(budget, most) if overthought and budget else budget
        request = replace(request, sampling=sampling, thinking_budget=budget)
    return replace(prompt, params=params, request=request)


def _less(budget: int | None, most: int) -> int:
    return min(budget or most, max(LEAST_THOUGHT, (budget or most) // 4))


def _warmer(sampling: SamplingParams, retries: int) -> SamplingParams:
    if sampling.temperature <= 0:
        return replace(sampling, temperature=WARM * retries, seed=(sampling.seed or 0) + retries)
    seed = None if sampling.seed is None else sampling.seed + retries
    temperature = round(sampling.temperature + WARMER * (retries - 1), 3)
    return replace(sampling, temperature=temperature, seed=seed)


def _without_ids(completion: Completion) -> Completion:
    """What stays of a generation that was stopped: an empty turn, since its ids never came."""
    return replace(completion, text="", thought="", tool_calls=())
