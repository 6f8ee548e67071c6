"""How much the suites compute."""

from __future__ import annotations

from dataclasses import dataclass

TURN_TOKENS = 8  # what the model writes in a turn of the `turns` suite
OWN_TOKENS = 8  # of a request, beside the prefix that it shares
TEMPLATE = 64  # tokens that a chat template may add, an upper bound


@dataclass(frozen=True, slots=True)
class Sizes:
    """In tokens, except `many` (sequences), `turns`, `cancels` (of the whole run) and `asked`.

    short: what a stream that is read begins with. prompt, decoded: of `prefill` and `decode`.
    prefix: of `share` and `restart`. long: the prefill that `stall` and `cancel` disturb.
    transcript, pruned: of `prune`. asked: tool calls and quotes of a round. lines, quoted: of a
    text that is to be quoted, and the tokens of the quote. chunks, steps: prompt tokens of a step.
    """

    short: int = 64
    prompt: int = 512
    decoded: int = 64
    prefix: int = 1500
    long: int = 4000
    observation: int = 300
    turns: int = 12
    many: int = 4
    cancels: int = 20
    transcript: int = 6000
    pruned: int = 2000
    asked: int = 3
    lines: int = 24
    quoted: int = 160
    chunks: tuple[int, ...] = (16, 64, 256)
    steps: tuple[int, ...] = (16, 32, 64, 128, 256)

    @property
    def window(self) -> int:
        """Tokens that the largest request which goes through HTTP needs."""
        talk = self.prompt + self.turns * (self.observation + TURN_TOKENS + TEMPLATE // 4)
        return max(talk, self.prefix + self.read, self.long, self.short + self.read) + 2 * TEMPLATE

    @property
    def read(self) -> int:
        """Tokens of a stream that outlasts `long` prompt tokens in the smallest chunks."""
        return 2 * TEMPLATE + self.long * 5 // (4 * min(self.chunks))

    @property
    def n_ctx(self) -> int:
        """Cells that every suite has room in: a server divides its window by its sequences."""
        most = max(
            self.many * self.window,
            self.long + self.short + self.read + TEMPLATE,
            2 * self.transcript,
        )
        return -(-most // 256) * 256


QUICK = Sizes(
    short=16,
    prompt=48,
    decoded=12,
    prefix=96,
    long=128,
    observation=20,
    turns=3,
    many=2,
    cancels=2,
    transcript=96,
    pruned=32,
    asked=1,
    lines=5,
    quoted=24,
    chunks=(16,),
    steps=(16, 32),
)
