"""What a draw costs beside a step: milliseconds by sampling settings, on one thread.

python benchmarks/draw_cost.py MODEL.gguf
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from edge_agent.chat.vocab import Vocab
from edge_agent.engine.core.llama import Llama, Span
from edge_agent.engine.params import LoadSpec, SamplingParams

# after the first the model knows what follows, after the second it does not
TEXTS = ("Once upon a time there was a", "qx zz 77 #")
TIMES = 50
BIASES = ((5, 1.0), (6, -1.0), (7, -100.0))
SETTINGS = {
    "greedy": SamplingParams(temperature=0),
    "greedy, three biases": SamplingParams(temperature=0, logit_bias=BIASES),
    "temperature 0.8": SamplingParams(temperature=0.8),
    "temperature 0.8, top_p 0.95": SamplingParams(temperature=0.8, top_p=0.95),
    "temperature 0.8, top_k 40, top_p 0.95, min_p 0.05": SamplingParams(
        temperature=0.8, top_k=40, top_p=0.95, min_p=0.05
    ),
    "greedy, repeat_penalty 1.1": SamplingParams(temperature=0, repeat_penalty=1.1),
}


def measured(llama: Llama, index: int, params: SamplingParams) -> float:
    """The median of so many draws, in milliseconds."""
    sampler, took = llama.sampler(params, seed=1), []
    for _ in range(TIMES):
        began = time.perf_counter()
        sampler.sample(llama.logits(index))
        took.append(time.perf_counter() - began)
    sampler.close()
    return statistics.median(took) * 1e3


def main(path: str) -> None:
    vocab = Vocab.load(Path(path))
    llama = Llama(LoadSpec(path, 256, n_batch=64, n_parallel=1, n_threads=1), 2, 4, lambda _: None)
    rows: dict[str, list[float]] = {name: [] for name in SETTINGS}
    for text in TEXTS:
        llama.truncate(0, 0)
        _, (index,) = llama.decode([Span(0, 0, vocab.encode(text), output=1)])
        for name, params in SETTINGS.items():
            rows[name].append(measured(llama, index, params))
    print("| ms of a draw | " + " | ".join(f"after {text!r}" for text in TEXTS) + " |")
    print("|---|" + "---|" * len(TEXTS))
    for name, took in rows.items():
        print(f"| {name} | " + " | ".join(f"{ms:.3f}" for ms in took) + " |")
    llama.close()
    vocab.close()


if __name__ == "__main__":
    main(sys.argv[1])
