"""The bare loop: the same C API and the same batches as the engine, and nothing around them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from edge_agent.engine.llama import Llama, Sampler, Span
from edge_agent.engine.params import LoadSpec, SamplingParams


class Bare:
    """A model in this process, driven by the shortest loop there is. Times in seconds."""

    def __init__(self, spec: LoadSpec) -> None:
        self._n_batch = spec.n_batch
        self._n_seq = spec.n_parallel
        self._llama = Llama(spec, spec.n_parallel, lambda line: None)
        self._greedy = SamplingParams(temperature=0)

    def __enter__(self) -> Bare:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._llama.close()

    def prefill(self, prompts: Sequence[Sequence[int]]) -> float:
        """Seconds until every prompt is computed and its next token drawn."""
        self._clear()
        samplers = self._samplers(len(prompts))
        began = time.perf_counter()
        for i, prompt in enumerate(prompts):
            self._compute(i, prompt, samplers[i])
        seconds = time.perf_counter() - began
        self._free(samplers)
        return seconds

    def decode(self, prompts: Sequence[Sequence[int]], n_tokens: int) -> float:
        """Seconds for `n_tokens` more of each prompt, all in step, after computing the prompts."""
        return self._write(prompts, n_tokens)[1]

    def write(self, prompt: Sequence[int], n_tokens: int) -> list[int]:
        """The `n_tokens` that greedily follow a prompt."""
        return [ids[0] for ids in self._write([prompt], n_tokens - 1)[0]]

    def _write(
        self, prompts: Sequence[Sequence[int]], n_steps: int
    ) -> tuple[list[list[int]], float]:
        self._clear()
        samplers = self._samplers(len(prompts))
        pairs = enumerate(zip(prompts, samplers, strict=True))
        rows = [[self._compute(i, prompt, sampler) for i, (prompt, sampler) in pairs]]
        began = time.perf_counter()
        for step in range(n_steps):
            at = [len(prompt) + step for prompt in prompts]
            spans = [Span(i, at[i], [id], output=True) for i, id in enumerate(rows[-1])]
            _, indices = self._llama.decode(spans)
            rows.append([s.sample(i) for s, i in zip(samplers, indices, strict=True)])
        seconds = time.perf_counter() - began
        self._free(samplers)
        return rows, seconds

    def _compute(self, seq: int, prompt: Sequence[int], sampler: Sampler) -> int:
        for start in range(0, len(prompt), self._n_batch):
            ids = prompt[start : start + self._n_batch]
            output = start + len(ids) == len(prompt)
            _, indices = self._llama.decode([Span(seq, start, ids, output)])
        return sampler.sample(indices[0])

    def _samplers(self, n: int) -> list[Sampler]:
        return [self._llama.sampler(self._greedy, 0) for _ in range(n)]

    def _clear(self) -> None:
        for seq in range(self._n_seq):
            self._llama.truncate(seq, 0)

    @staticmethod
    def _free(samplers: Sequence[Sampler]) -> None:
        for sampler in samplers:
            sampler.close()
