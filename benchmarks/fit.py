"""What the planner foresees against the buffers llama.cpp makes and the memory a process takes.

    python -m benchmarks.fit MODEL.gguf ...            a Markdown table over context, batch, KV type
    python -m benchmarks.fit --buffers MODEL N_CTX N_BATCH N_PARALLEL KV_TYPE      one case, as JSON

Every case runs in a process of its own, with one thread; sizes in the table are in MiB.
"""

from __future__ import annotations

import ctypes
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import cast

import psutil
from llama_cpp import llama_cpp as lib

from edge_agent.catalog.gguf import read_gguf
from edge_agent.cli.shapes import shape_of
from edge_agent.engine.core.llama import KV_TYPES
from edge_agent.engine.core.log import listen
from edge_agent.engine.core.pages import give_back
from edge_agent.engine.fit.layouts import engine_bytes
from edge_agent.engine.fit.shape import MAX_DRAFT, KvType, Layout, estimate, slots_for

MIB = 1 << 20
CASES = [(2048, 128), (2048, 512), (8192, 512), (16_384, 512)]
KINDS: tuple[KvType, ...] = ("f16", "q8_0")
PARTS = ("weights", "repacked", "kv", "compute", "outputs")
LINE = re.compile(r"(\S+)\s+(model|KV|RS|output|compute) buffer size =\s*([\d.]+) MiB")
NAMES = {"model": "weights", "KV": "kv", "RS": "kv", "output": "outputs", "compute": "compute"}


def measure(path: str, layout: Layout) -> dict[str, float]:
    """Load the model that way, compute a batch, and read llama.cpp's log. In bytes."""
    lines: list[str] = []
    listen(lambda level, text: lines.append(text))
    lib.llama_backend_init()
    wanted = lib.llama_model_default_params()
    wanted.use_extra_bufts = True
    model = lib.llama_model_load_from_file(path.encode(), wanted)
    params = lib.llama_context_default_params()
    params.n_ctx, params.n_batch, params.n_ubatch = layout.n_ctx, layout.n_batch, layout.n_batch
    params.n_seq_max = slots_for(layout.n_parallel)
    params.n_outputs_max = slots_for(layout.n_parallel) + MAX_DRAFT
    params.n_outputs_max_per_seq = 1 + MAX_DRAFT
    params.n_threads = params.n_threads_batch = 1
    params.type_k = params.type_v = KV_TYPES[layout.kv_type]
    params.kv_unified = True
    context = lib.llama_init_from_model(model, params)
    ids = (ctypes.c_int32 * layout.n_batch)(*range(300, 300 + layout.n_batch))
    lib.llama_decode(context, lib.llama_batch_get_one(ids, layout.n_batch))
    give_back(path)  # as the engine does, then touch again what a step needs of the file
    lib.llama_decode(context, lib.llama_batch_get_one(ids, layout.n_batch))
    sizes = dict.fromkeys(PARTS, 0.0)
    for where, what, size in LINE.findall("".join(lines)):
        name = "repacked" if "REPACK" in where else NAMES[what]
        sizes[name] += float(size) * MIB
    return {**sizes, "resident": psutil.Process().memory_info().rss}


def in_a_process(path: str, layout: Layout) -> dict[str, float]:
    """`measure`, where nothing else has been loaded."""
    numbers = (layout.n_ctx, layout.n_batch, layout.n_parallel, layout.kv_type)
    command = [sys.executable, "-m", "benchmarks.fit", "--buffers", path, *map(str, numbers)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return cast("dict[str, float]", json.loads(done.stdout))


def print_table(paths: list[str]) -> None:
    """A row for each case: foreseen / real, by part."""
    print(f"| model | context | batch | KV | {' | '.join(PARTS)} | resident |")
    print("|" + "---|" * (len(PARTS) + 5))
    for path in paths:
        shape = shape_of(read_gguf(Path(path)))
        for n_ctx, n_batch in CASES:
            for kv_type in KINDS:
                layout = Layout(n_ctx, n_batch, 4, kv_type)
                host = estimate(shape, layout).host
                real = in_a_process(path, layout)
                pairs = [(getattr(host, part), real[part]) for part in PARTS]
                pairs.append((host.total + engine_bytes(shape), real["resident"]))
                cells = [f"{a / MIB:,.1f} / {b / MIB:,.1f}" for a, b in pairs]
                what = (Path(path).stem, n_ctx, n_batch, kv_type, *cells)
                print(f"| {' | '.join(map(str, what))} |", flush=True)


def main() -> None:
    """See the top of the file."""
    if sys.argv[1:2] == ["--buffers"]:
        path, n_ctx, n_batch, n_parallel, kv_type = sys.argv[2:]
        layout = Layout(int(n_ctx), int(n_batch), int(n_parallel), cast("KvType", kv_type))
        json.dump(measure(path, layout), sys.stdout)
    else:
        print_table(sys.argv[1:])


if __name__ == "__main__":
    main()
