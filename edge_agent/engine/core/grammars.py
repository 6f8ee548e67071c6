"""Grammars compiled beside the engine thread, so that no step waits for one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, TypeAlias

from edge_agent.engine.core.constraint import Constraint, tokenizer_of
from edge_agent.errors import EdgeAgentError

Compiled: TypeAlias = list[Constraint] | EdgeAgentError


class Grammars:
    """Orders by request: llguidance's tokenizer takes a second to build, a grammar milliseconds."""

    def __init__(self, vocab: Any, eog: Sequence[int]) -> None:
        self._thread = ThreadPoolExecutor(1, "grammar")
        self._tokenizer: Future[Any] = self._thread.submit(tokenizer_of, vocab, eog)
        self._orders: dict[int, Future[list[Constraint]]] = {}

    def order(self, id: int, grammar: str, n: int) -> None:
        """Compile a grammar for the `n` continuations of a request."""
        self._orders[id] = self._thread.submit(self._compile, grammar, n)

    def _compile(self, grammar: str, n: int) -> list[Constraint]:
        tokenizer = self._tokenizer.result()
        return [Constraint(grammar, tokenizer) for _ in range(n)]

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
