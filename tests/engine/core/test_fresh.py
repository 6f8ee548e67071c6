"""A fresh request against a real model: the same bits, whatever came before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.chat.vocab import Vocab

from ..fakes import drafts_pay
from ..live import Bench, Written, bench_of, chat

STORY = "Once there was a lamp on the pier, and a boy who lit it. " * 12


@pytest.fixture(scope="module")
def vocab(smollm2_path: Path) -> Vocab:
    return Vocab.load(smollm2_path)


def ask(bench: Bench, prompt: list[int], fresh: bool) -> Written:
    return bench.generate(prompt, 40, fresh=fresh, n_logprobs=3, ignore_eos=True)


def past(bench: Bench, vocab: Vocab, prompt: list[int]) -> None:
    """Requests that leave the cells full of pieces, some of them the beginning of the prompt."""
    bench.generate(prompt[: len(prompt) // 2], 5, ignore_eos=True)
    bench.generate(chat(vocab, "A poem about rain."), 60, ignore_eos=True, pin=12)
    bench.submit(prompt[: len(prompt) * 3 // 4], 30, ignore_eos=True)
    bench.submit(chat(vocab, STORY[:300]), 50, ignore_eos=True)
    bench.run()


def test_a_fresh_request_has_the_same_bits_whatever_came_before(
    smollm2_path: Path, vocab: Vocab
) -> None:
    prompt = chat(vocab, STORY + "Who lit it?")
    with bench_of(smollm2_path, drafts_pay(), n_ctx=1024) as bench:
        first = ask(bench, prompt, fresh=True)
        past(bench, vocab, prompt)
        again = ask(bench, prompt, fresh=True)
        past(bench, vocab, prompt)
        shared = ask(bench, prompt, fresh=False)
    usage = again.finished.usage
    assert (usage.cached_tokens, usage.drafted_tokens) == (0, 0)
    assert (again.ids, again.logprobs) == (first.ids, first.logprobs)
    assert shared.finished.usage.cached_tokens > len(prompt) // 2
    assert shared.logprobs != first.logprobs  # so that there is something to be gained
