"""The bare loop in a process of its own, which sleeps while something else is measured."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from edge_agent.bench.bare import StepCost
from edge_agent.engine.params import LoadSpec
from edge_agent.errors import ModelLoadError

LONGEST_LINE = 1 << 24
WARM_UP = 64


class Baseline:
    """Started when it is first asked; raises ModelLoadError when it cannot be."""

    def __init__(self, spec: LoadSpec) -> None:
        self._spec = replace(spec, adapters=())
        self._process: asyncio.subprocess.Process | None = None

    async def prefill(self, prompts: Sequence[Sequence[int]]) -> float:
        """See `Bare.prefill`."""
        return float(await self._ask("prefill", prompts=prompts))

    async def decode(self, prompts: Sequence[Sequence[int]], n_tokens: int) -> float:
        """See `Bare.decode`."""
        return float(await self._ask("decode", prompts=prompts, n_tokens=n_tokens))

    async def write(self, prompt: Sequence[int], n_tokens: int) -> list[int]:
        """See `Bare.write`."""
        return list(await self._ask("write", prompt=prompt, n_tokens=n_tokens))

    async def step_costs(self, n_long: int, n_reader: int, chunks: Sequence[int]) -> list[StepCost]:
        """See `Bare.step_costs`."""
        costs = await self._ask("step_costs", n_long=n_long, n_reader=n_reader, chunks=chunks)
        return [StepCost(cost["n_prompt"], tuple(cost["seconds"])) for cost in costs]

    async def buffers(self) -> dict[str, float]:
        """Bytes of llama.cpp's buffers by its own account: model, KV, compute, output."""
        return dict(await self._ask("buffers"))

    async def system_info(self) -> str:
        """The processor features that llama.cpp uses."""
        return str(await self._ask("system_info"))

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return self._process.pid if self._process else None

    async def aclose(self) -> None:
        """End the process; asked again it starts another."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _ask(self, do: str, **arguments: Any) -> Any:
        if self._process is None:
            await self._start()
        return await self._exchange({"do": do, **arguments})

    async def _start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "edge_agent.bench.bare_process",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL, limit=LONGEST_LINE,
        )  # fmt: skip
        first = await self._exchange(asdict(self._spec))
        if "error" in first:
            raise ModelLoadError(first["error"])
        await self._exchange({"do": "decode", "prompts": [[1] * WARM_UP], "n_tokens": WARM_UP // 8})

    async def _exchange(self, message: Any) -> Any:
        process = self._process
        assert process and process.stdin and process.stdout
        process.stdin.write(json.dumps(message).encode() + b"\n")
        line = await process.stdout.readline()
        if not line:
            raise ModelLoadError("The bare loop died: is there memory for the model twice?")
        return json.loads(line)
