"""The bare loop: llama.cpp's C API, the engine's batch sizes, and nothing around them."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llama_cpp import llama_cpp as lib

from edge_agent.engine.core.log import listen
from edge_agent.engine.params import LoadSpec
from edge_agent.errors import ModelLoadError

KV_TYPES = {"f16": lib.GGML_TYPE_F16, "q8_0": lib.GGML_TYPE_Q8_0}
BUFFER = re.compile(r"(\S+) +(model|KV|compute|output) buffer size = +([\d.]+) MiB")
# (sequence, first position, ids, whether the last one's logits are wanted)
Run = tuple[int, int, Sequence[int], bool]


@dataclass(frozen=True, slots=True)
class StepCost:
    """Seconds of a step with `n_prompt` prompt tokens beside one decode, at places of a prefill."""

    n_prompt: int
    seconds: tuple[float, ...]


class Bare:
    """A model in this process, driven by the shortest loop there is. Times in seconds."""

    def __init__(self, spec: LoadSpec) -> None:
        self._spec = spec
        self._n_seq = max(2, spec.n_parallel)
        self.buffers: dict[str, float] = {}
        listen(self._read_log)
        lib.llama_backend_init()
        self._model = self._load()
        self._context = self._open()
        self._memory = lib.llama_get_memory(self._context)
        self._batch = lib.llama_batch_init(spec.n_batch, 0, 1)
        self._greedy = lib.llama_sampler_init_greedy()

    def _read_log(self, level: int, text: str) -> None:
        found = BUFFER.search(text)
        if found:
            name = f"{found[2]} {found[1]}"
            self.buffers[name] = self.buffers.get(name, 0) + float(found[3]) * (1 << 20)

    def _load(self) -> Any:
        params = lib.llama_model_default_params()
        params.n_gpu_layers = self._spec.n_gpu_layers
        params.use_extra_bufts = self._spec.use_extra_bufts
        model = lib.llama_model_load_from_file(self._spec.path.encode(), params)
        if not model:
            raise ModelLoadError(f"{self._spec.path} could not be loaded beside the engine.")
        return model

    def _open(self) -> Any:
        spec, params = self._spec, lib.llama_context_default_params()
        params.n_ctx = spec.n_ctx
        params.n_batch = params.n_ubatch = spec.n_batch
        params.n_seq_max = params.n_outputs_max = self._n_seq
        params.n_threads = params.n_threads_batch = spec.n_threads
        params.type_k = params.type_v = KV_TYPES[spec.kv_type]
        params.kv_unified = True
        context = lib.llama_init_from_model(self._model, params)
        if not context:
            raise ModelLoadError(f"No context of {spec.n_ctx} tokens could be made.")
        return context

    @property
    def system_info(self) -> str:
        """The processor features that llama.cpp uses."""
        return str(lib.llama_print_system_info().decode()).strip()

    def prefill(self, prompts: Sequence[Sequence[int]]) -> float:
        """Seconds until every prompt is computed and its next token drawn."""
        self._clear()
        began = time.perf_counter()
        for seq, prompt in enumerate(prompts):
            self._compute(seq, 0, prompt)
        return time.perf_counter() - began

    def decode(self, prompts: Sequence[Sequence[int]], n_tokens: int) -> float:
        """Seconds for `n_tokens` more of each prompt, all in step, after computing the prompts."""
        return self._write(prompts, n_tokens)[1]

    def write(self, prompt: Sequence[int], n_tokens: int) -> list[int]:
        """The `n_tokens` that greedily follow a prompt."""
        return [ids[0] for ids in self._write([prompt], n_tokens - 1)[0]]

    def step_costs(
        self, n_long: int, n_reader: int, chunks: Sequence[int], places: int = 3, times: int = 2
    ) -> list[StepCost]:
        """What a step costs by its prompt tokens, while `n_long` tokens are computed beside one
        sequence of `n_reader` that decodes; 0 prompt tokens first. Best of `times` at each place.
        """
        self._clear()
        token = self._compute(0, 0, [1] * n_reader)
        costs: dict[int, list[float]] = {n: [] for n in (0, *chunks)}
        done = 0
        for place in range(places):
            at = place * (n_long - max(chunks)) // max(1, places - 1)
            self._compute(1, done, [2 + i % 200 for i in range(done, at)])
            done = at
            for n, seconds in costs.items():
                taken = [self._step(n_reader, token, at, n) for _ in range(times)]
                seconds.append(min(taken))
        return [StepCost(n, tuple(seconds)) for n, seconds in costs.items()]

    def _step(self, reader_at: int, token: int, at: int, n_prompt: int) -> float:
        runs: list[Run] = [(0, reader_at, [token], True)]
        if n_prompt:
            runs.append((1, at, [3 + i % 200 for i in range(n_prompt)], False))
        began = time.perf_counter()
        self._sample(self._decode(runs)[0])
        seconds = time.perf_counter() - began
        lib.llama_memory_seq_rm(self._memory, 0, reader_at, -1)
        lib.llama_memory_seq_rm(self._memory, 1, at, -1)
        return seconds

    def _write(
        self, prompts: Sequence[Sequence[int]], n_steps: int
    ) -> tuple[list[list[int]], float]:
        self._clear()
        rows = [[self._compute(seq, 0, prompt) for seq, prompt in enumerate(prompts)]]
        began = time.perf_counter()
        for step in range(n_steps):
            at = [len(prompt) + step for prompt in prompts]
            indices = self._decode([(i, at[i], [id], True) for i, id in enumerate(rows[-1])])
            rows.append([self._sample(index) for index in indices])
        return rows, time.perf_counter() - began

    def _compute(self, seq: int, at: int, prompt: Sequence[int]) -> int:
        """Compute the tokens of a sequence from position `at` on; returns what follows them."""
        n, last = self._spec.n_batch, -1
        for start in range(0, len(prompt), n):
            ids = prompt[start : start + n]
            ends = start + len(ids) == len(prompt)
            last = self._decode([(seq, at + start, ids, ends)])[0]
        return self._sample(last) if len(prompt) else -1

    def _decode(self, runs: Sequence[Run]) -> list[int]:
        batch, n, last = self._batch, 0, []
        for seq, start, ids, output in runs:
            for i, id in enumerate(ids):
                batch.token[n], batch.pos[n] = id, start + i
                batch.n_seq_id[n], batch.seq_id[n][0], batch.logits[n] = 1, seq, 0
                n += 1
            batch.logits[n - 1] = output
            last.append(n - 1)
        batch.n_tokens = n
        if status := lib.llama_decode(self._context, batch):
            raise RuntimeError(f"llama_decode returned {status} in the bare loop.")
        return last

    def _sample(self, index: int) -> int:
        return int(lib.llama_sampler_sample(self._greedy, self._context, index))

    def _clear(self) -> None:
        for seq in range(self._n_seq):
            lib.llama_memory_seq_rm(self._memory, seq, 0, -1)

    def answer(self, asked: Mapping[str, Any]) -> Any:
        """A method by name with its arguments, as `baseline` sends it: {"do": name, ...}."""
        arguments = {name: value for name, value in asked.items() if name != "do"}
        found = getattr(self, str(asked["do"]))
        return found(**arguments) if callable(found) else found
