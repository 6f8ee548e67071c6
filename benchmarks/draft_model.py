"""Whether a draft model would pay: guesses of a small model, checked by a large one.

`python benchmarks/draft_model.py TARGET.gguf DRAFT.gguf [--threads N]`: both models in one process,
greedy, on a few everyday prompts. Prints the seconds of a step of each model by its tokens, the
share of the draft's guesses that are what the target writes, and the best speed that follows for
every length of draft, as a ratio to the target alone:

    (1 + p + ... + p^k) * t(1) / (k * d(1) + t(k + 1))

with p the share, d and t the seconds of a step of the draft and of the target.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from edge_agent.chat.vocab import Vocab
from edge_agent.engine.core.llama import Llama, Span
from edge_agent.engine.params import LoadSpec, SamplingParams

PROMPTS = (
    "Write a Python function that merges two sorted lists.",
    "Explain in a few sentences how a lighthouse works.",
    "List five facts about the river Danube as JSON.",
    "Which steps would you take to find out who built an old bridge?",
)
N_TOKENS = 64
LENGTHS = (1, 2, 3, 4, 6, 8)
ROUNDS = 5


def load(path: Path, threads: int) -> Llama:
    return Llama(LoadSpec(str(path), 2048, 256, 1, threads), 1, max(LENGTHS), lambda line: None)


def write(llama: Llama, prompt: list[int], n_tokens: int) -> list[int]:
    """What the model greedily goes on with."""
    llama.truncate(0, 0)
    sampler = llama.sampler(SamplingParams(temperature=0), 0)
    tokens, computed = list(prompt), 0
    while len(tokens) < len(prompt) + n_tokens:
        _, (first,) = llama.decode([Span(0, computed, tokens[computed:], 1)])
        computed = len(tokens)
        tokens.append(sampler.sample(first))
    sampler.close()
    return tokens[len(prompt) :]


def agreement(llama: Llama, prompt: list[int], written: list[int]) -> float:
    """The share of `written` that the model would have greedily written in each place."""
    llama.truncate(0, 0)
    sampler = llama.sampler(SamplingParams(temperature=0), 0)
    right, tokens, computed = 0, list(prompt), 0
    for id in written:
        _, (first,) = llama.decode([Span(0, computed, tokens[computed:], 1)])
        right += sampler.sample(first) == id
        computed = len(tokens)
        tokens.append(id)
    sampler.close()
    return right / len(written)


def step_seconds(llama: Llama, n_tokens: int) -> float:
    """The median seconds of a step of so many tokens behind 256 others."""
    llama.truncate(0, 0)
    llama.decode([Span(0, 0, [300] * 256, 1)])
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        llama.decode([Span(0, 256, [301] * n_tokens, n_tokens)])
        taken.append(time.perf_counter() - began)
        llama.truncate(0, 256)
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("target", type=Path)
    parser.add_argument("draft", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    target, draft = load(args.target, args.threads), load(args.draft, args.threads)
    vocab = Vocab.load(args.target)
    shares = []
    for text in PROMPTS:
        prompt = vocab.encode(f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n")
        shares.append(agreement(draft, prompt, write(target, prompt, N_TOKENS)))
        print(f"{shares[-1]:.2f} of the guesses right: {text}")
    p = statistics.mean(shares)
    alone, guess = step_seconds(target, 1), step_seconds(draft, 1)
    print(f"share {p:.2f}; a step of the target {alone:.4f} s, of the draft {guess:.4f} s")
    for k in LENGTHS:
        check = step_seconds(target, k + 1)
        ratio = sum(p**i for i in range(k + 1)) * alone / (k * guess + check)
        print(f"{k} guesses: a check takes {check:.4f} s, speed {ratio:.2f} of the target alone")


if __name__ == "__main__":
    main()
