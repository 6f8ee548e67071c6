"""What is counted of sequences that ended and of those that run."""

from __future__ import annotations

from pathlib import Path

from edge_agent.engine.core.engine import Engine
from edge_agent.engine.params import GenerateParams
from tests.engine.live import GREEDY, spec_of

PROMPT = list(range(100, 164))


def run(engine: Engine) -> None:
    while engine.has_work:
        engine.step()


def test_counts_are_those_of_the_requests_whether_they_end_or_not(smollm2_path: Path) -> None:
    engine = Engine(spec_of(smollm2_path, speculate=False), lambda id, item: None, lambda _: None)
    try:
        engine.submit(1, PROMPT, GenerateParams(GREEDY, max_tokens=5, ignore_eos=True))
        run(engine)
        first = engine.counts()
        assert (first.prompt_tokens, first.cached_tokens, first.predicted_tokens) == (64, 0, 5)
        assert first.decodes == 5 == first.busy  # the first token comes out of the prompt's decode
        assert first.longest == 69 and first.requests == 1
        assert first.prompt_s > 0 and first.predict_s > 0
        assert 0 < first.compute_s < first.prompt_s + first.predict_s

        engine.submit(2, PROMPT, GenerateParams(GREEDY, max_tokens=4, n=2, ignore_eos=True))
        engine.step()
        running = engine.running()
        assert [r.n_prompt for r in running] == [64, 64]
        assert all(r.n_generated >= 1 and not r.is_background for r in running)
        run(engine)
        both = engine.counts()
        assert both.prompt_tokens + both.cached_tokens == 128  # a prompt of two counts once
        assert both.cached_tokens == 63  # the last token is computed again for its logits
        assert both.predicted_tokens == 5 + 2 * 4
        assert engine.running() == ()

        engine.submit(3, PROMPT, GenerateParams(GREEDY, max_tokens=50, ignore_eos=True))
        for _ in range(4):
            engine.step()
        engine.cancel(3)
        assert engine.counts().predicted_tokens > both.predicted_tokens
        assert engine.counts().gauges["running"] == 0
    finally:
        engine.close()
