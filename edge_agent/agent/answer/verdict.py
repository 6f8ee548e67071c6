"""What came of checking an answer: accepted, or one fault with a sentence for the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge_agent.chat.messages import Completion

Fault = Literal[
    "missing",
    "wrong_kind",
    "echo",
    "unstated",
    "number",
    "unquoted",
    "misquoted",
    "outdated",
    "contradicted",
    "not_stated",
]

# points of an answer in a vote and among tries; whole, so that sums do not depend on their order
SUPPORTED = 6  # every check passed, and the model found it supported
PLAUSIBLE = 4  # every check passed that needs no model
DOUBTED = 2  # stands on a page, but the model or another source does not bear it out
FAULTY = 1
NOTHING = 0  # "not found" is no answer to vote for
MOST_WEIGHT = SUPPORTED


@dataclass(frozen=True, slots=True)
class Verdict:
    """fault: the first check that failed, None when the answer is accepted.

    feedback: what is wrong, for the model to read. supported: the model was asked and found the
    answer supported. remark: what a reader of the answer should know though it is accepted.
    completion: the generation that judged, for the accounts.
    """

    fault: Fault | None = None
    feedback: str = ""
    supported: bool = False
    remark: str = ""
    completion: Completion | None = None

    @property
    def accepted(self) -> bool:
        return self.fault is None

    @property
    def weight(self) -> int:
        """How much the answer counts among others, from 0 to MOST_WEIGHT."""
        if self.fault is None:
            return SUPPORTED if self.supported else PLAUSIBLE
        if self.fault == "missing":
            return NOTHING
        return DOUBTED if self.fault in ("outdated", "contradicted", "not_stated") else FAULTY
