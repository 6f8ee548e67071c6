"""Grammars compiled beside the engine thread, so that no step waits for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import cached_property
from typing import Any, TypeAlias

from edge_agent.engine.core.closing import Closing
from edge_agent.engine.core.constraint import Constraint, tokenizer_of
from edge_agent.engine.params import GenerateParams
from edge_agent.errors import EdgeAgentError

Compiled: TypeAlias = list[Constraint] | EdgeAgentError


class Grammars:
    """Orders by request: llguidance's tokenizer takes a second to build, a grammar milliseconds.

    closing: makes what closes a text in time, in a third of a second; asked for when it is needed.
    """

    def __init__(self, vocab: Any, eog: Sequence[int], closing: Callable[[], Closing]) -> None:
        self._thread = ThreadPoolExecutor(1, "grammar")
        self._make_closing = closing
        self._tokenizer: Future[Any] = self._thread.submit(tokenizer_of, vocab, eog)
        self._orders: dict[int, Future[list[Constraint]]] = {}

    def order(self, id: int, params: GenerateParams) -> None:
        """Compile the grammar of a request, if it has one, for each of its continuations."""
        if params.grammar is not None:
            self._orders[id] = self._thread.submit(self._compile, params.grammar, params)

    def _compile(self, grammar: str, params: GenerateParams) -> list[Constraint]:
        tokenizer = self._tokenizer.result()
        closing = self._closing if params.closing else None
        return [Constraint(grammar, tokenizer, closing) for _ in range(params.n)]

    @cached_property
    def _closing(self) -> Closing:
        return self._make_closing()

    def cancel(self, id: int) -> None:
        """The request is over."""
        if (order := self._orders.pop(id, None)) is not None:
            order.cancel()

    def take(self) -> Iterator[tuple[int, Compiled]]:
        """What has been compiled since the last time, or the error it ended in."""
        for id in [id for id, order in self._orders.items() if order.done()]:
            order = self._orders.pop(id)
            try:
                yield id, order.result()
            except EdgeAgentError as error:
                yield id, error

    def wait(self, seconds: float) -> None:
        """Until one is ready, or so long."""
        wait(self._orders.values(), seconds, FIRST_COMPLETED)

    def close(self) -> None:
        """End the thread, which reads the model's vocabulary."""
        self._thread.shutdown(wait=True, cancel_futures=True)
