"""`compare REFERENCE.gguf CANDIDATE.gguf ...`: what was lost, and whether it is too much."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path

from quantize.compare.agent import TURN_TOKENS
from quantize.compare.compare import CHUNK_TOKENS, CHUNKS, Setup, compare
from quantize.compare.report import as_json, plot, table
from quantize.compare.verdict import Gate
from quantize.importance.collect import read_text
from quantize.threads import usual_threads
from quantize.whole import whole

# written for this project, and other than what `imatrix` reads
EVALUATION = Path(__file__).with_name("evaluation.txt")
USUAL = Gate()


def add_arguments(parser: ArgumentParser) -> None:
    """The command line."""
    parser.add_argument("reference", type=Path, metavar="REFERENCE.gguf")
    parser.add_argument("candidates", type=Path, nargs="+", metavar="CANDIDATE.gguf")
    parser.add_argument("--text", type=Path, default=EVALUATION, help="UTF-8")
    parser.add_argument("--chunk", type=int, default=CHUNK_TOKENS, help="tokens read at a time")
    parser.add_argument("--chunks", type=int, default=CHUNKS, help="at most so many")
    parser.add_argument("--threads", type=int, default=usual_threads())
    parser.add_argument(
        "--turn-tokens",
        type=int,
        default=TURN_TOKENS,
        help="at most so many in one of the agent's turns; a model that thinks needs more, 0 "
        "leaves the turns out",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="KL against size")
    parser.add_argument("--json", action="store_true", help="everything that was measured")
    gate = parser.add_argument_group("the gate, which each candidate must pass")
    gate.add_argument("--max-kl", type=float, default=USUAL.kl, help="mean, in nats")
    gate.add_argument("--max-tail", type=float, default=USUAL.tail, help="KL at 99 %%")
    gate.add_argument("--min-agreement", type=float, default=USUAL.agreement)
    gate.add_argument("--max-perplexity", type=float, default=USUAL.perplexity, help="as a ratio")
    gate.add_argument("--max-turns-lost", type=int, default=USUAL.turns_lost)


def run(given: Namespace) -> int:
    """Exit code 0, or 1 where a candidate failed. Raises any of errors.py."""
    gate = Gate(
        given.max_kl,
        given.max_tail,
        given.min_agreement,
        given.max_perplexity,
        given.max_turns_lost,
    )
    setup = Setup(
        read_text(given.text), given.chunk, given.chunks, given.threads, given.turn_tokens
    )
    made = compare(given.reference, given.candidates, setup, gate)
    if given.plot:
        with whole(given.plot) as part:
            part.write_text(plot(made))
    print(json.dumps(as_json(made), ensure_ascii=False, indent=2) if given.json else table(made))
    return 0 if made.passed else 1
