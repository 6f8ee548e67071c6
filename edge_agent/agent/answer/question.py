"""What kind of answer a question asks for, by the general grammar of English questions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from edge_agent.agent.answer.wording import asking_part
from edge_agent.agent.refine.sentences import MAX_PASSAGE_CHARS, sentences

Kind = Literal["yes_no", "choice", "year", "date", "number", "person", "place", "free"]

AUXILIARIES = (
    r"(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|shall|should|may|might|must)"
)
PREPOSITIONS = r"(?:in|on|at|by|during|to|for|from|of|with|since|until|around|about|after|before)"
WH = r"(?:what|which|who|whom|whose|when|where|why|how)"
ASKS_FOR = re.compile(
    r"^(?:(?:and|but|so|then|also)[, ]+)?"  # what joins it to an earlier one
    r"(?:please[, ]+)?(?:(?:can|could|would|will|do) you (?:please )?)?"
    rf"(?:(?:tell me|say|know|find out|explain)[, ]+)?(?=(?:{PREPOSITIONS} )?{WH}\b)",
    re.IGNORECASE,
)
LEAD = re.compile(rf"^(?:{PREPOSITIONS}\s+)?({WH})\b", re.IGNORECASE)
# "When comparing the two, which ...": no question of time or place without a verb right behind it
SUBORDINATE = re.compile(rf"^(?:when|where)\s+(?!{AUXILIARIES}\b)", re.IGNORECASE)
YES_NO = re.compile(
    rf"^(?:(?:{PREPOSITIONS}|as|when|if|while)\b[^,?]*,\s*)?{AUXILIARIES}(?:n[’']t)?\s+\D",
    re.IGNORECASE,
)
ENDS_IN_WH = re.compile(r"\b(?:what|who|whom|where|when|(?:what|which) \w+)\s*\?*$", re.IGNORECASE)
# what comes again and again may have a time of day or a weekday: "When does the boat leave?"
RECURS = re.compile(r"^when\s+(?:do|does|is|are|can|may|must|should)\b", re.IGNORECASE)
ENDS_IN_WHEN = re.compile(r"\bwhen\s*\?+$", re.IGNORECASE)
YEAR = re.compile(r"\b(?:what|which) year\b|^what (?:is|was) the year\b", re.IGNORECASE)
DATE = re.compile(
    r"\b(?:what|which) (?:exact )?(?:date|decade|century)\b"
    r"|^what (?:is|was) the (?:exact )?(?:date|birthday)\b",
    re.IGNORECASE,
)
AMOUNT = re.compile(
    r"\bhow (?:many|much|tall|long|far|high|deep|heavy|wide|large|fast|old|often)\b", re.IGNORECASE
)
# what no page says in so many words, because it follows from two numbers
COMPUTED = re.compile(
    r"\b(?:difference|between|older|younger|more|fewer|less|longer|total|together|combined|sum"
    r"|altogether|ago|apart|how (?:old|often))\b|\bhow many (?:years|months|weeks|days)\b",
    re.IGNORECASE,
)
PLACE = re.compile(
    r"\b(?:what|which) (?:city|town|village|country|state|county|province|region|continent)\b"
    r"|^what (?:is|was) the (?:place of (?:birth|death|burial)|birthplace)\b",
    re.IGNORECASE,
)

PARTICLES = r"(?:of|the|and|de|la|le|van|von|du|da|for|in|on|to|a|an|&)"
NAME = rf"(?:the\s+)?[A-Z0-9“\"][^\s,?]*(?:\s+(?:{PARTICLES}\s+)*[A-Z0-9(“\"][^\s,?]*)*"
LISTED = re.compile(r"(?:[,:–—]|\s-)\s+(?:either\s+)?([^,:?]+?),?\s+or\s+([^,:?]+)\s*\?*$")
UNLISTED = re.compile(rf"\s({NAME})\s+or\s+({NAME})\s*\?*$")
BETWEEN = re.compile(r"^(?:between|of)\s+([^,]+?)\s+(?:and|or)\s+([^,]+?),\s", re.IGNORECASE)
COMPARED = re.compile(rf"^(?i:{AUXILIARIES})\s+({NAME})\s+or\s+({NAME})\s+(.+)$")
COMPARISON = re.compile(r"\b(?:more|less|most|least|fewer|first|last|earlier|\w{2,}(?:er|est))\b")
# what a word that stands after the comma shows to be a clause, and no name of a choice
CLAUSE = re.compile(
    rf"^(?:{WH}|that|and|but|{PREPOSITIONS}|{AUXILIARIES}|[a-z]+(?:ing|ed))\b", re.IGNORECASE
)
CHOICE_WORDS = 12  # more are a clause
PLAIN_WORDS = 4  # of an alternative that is no name


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question asks for. choices: the names it offers, as it writes them.

    computed: the answer may follow from numbers without standing anywhere itself. opened: it begins
    with a question word, so yes or no is no answer. recurs: it asks in the present when a thing is.
    """

    kind: Kind
    choices: tuple[str, ...] = ()
    computed: bool = False
    opened: bool = False
    recurs: bool = False


def asked(question: str) -> Asked:
    """The kind of answer a question asks for; "free" where its words do not show one."""
    text = _question(question)
    offered = _choices(text)
    if offered:
        return Asked("choice", offered, opened=bool(LEAD.match(text)))
    if _is_yes_no(text):
        return Asked("yes_no")
    main = _main(text)
    lead = LEAD.match(main)
    kind = _kind(main, lead.group(1).casefold() if lead else "")
    computed, recurs = bool(COMPUTED.search(text)), bool(RECURS.match(main))
    return Asked(kind, computed=computed, opened=bool(lead), recurs=recurs)


def _question(text: str) -> str:
    """The last sentence that asks, without what politeness puts before it."""
    whole = " ".join(asking_part(text).split())
    told = [whole[start:end] for start, end in sentences(whole)]
    asking = [sentence for sentence in told if sentence.endswith("?")]
    last = asking[-1] if asking and len(asking[-1].split()) > 2 else whole[-MAX_PASSAGE_CHARS:]
    return ASKS_FOR.sub("", last)


def _main(text: str) -> str:
    """From the question word on, where a clause comes before it."""
    starts = [0, *(match.end() for match in re.finditer(r",\s+", text))]
    asking = [text[start:] for start in starts if LEAD.match(text[start:])]
    if len(asking) > 1 and SUBORDINATE.match(asking[0]):
        return asking[1]
    return asking[0] if asking else text


def _is_yes_no(text: str) -> bool:
    asks = text.endswith("?") and YES_NO.match(text) is not None
    plain = " or " not in text or re.search(r"\b(?:either|or not)\b", text) is not None
    return asks and plain and not any(p.search(text) for p in (ENDS_IN_WH, YEAR, DATE))


def _kind(text: str, lead: str) -> Kind:
    if YEAR.search(text):
        return "year"
    if DATE.search(text) or lead == "when" or ENDS_IN_WHEN.search(text):
        return "date"
    if AMOUNT.search(text) and lead in ("how", ""):
        return "number"
    if lead in ("who", "whom", "whose"):
        return "person"
    return "place" if lead == "where" or PLACE.search(text) else "free"


def _choices(text: str) -> tuple[str, ...]:
    """The two names of "A or B", where the question sets them apart clearly."""
    main = _main(text)
    if LEAD.match(main):
        found = _between(text) or _listed(main) or _unlisted(main)
    else:
        found = _compared(text)
    return found if len({choice.casefold() for choice in found}) == 2 else ()


def _between(text: str) -> tuple[str, ...]:
    match = BETWEEN.match(text)
    return _pair(match.group(1), match.group(2)) if match and _named(match.group(1)) else ()


def _listed(text: str) -> tuple[str, ...]:
    match = LISTED.search(text)
    if match is None:
        return ()
    found = _pair(match.group(1), match.group(2))
    good = _is_first_comma(text, match) and all(_may_be_choice(choice) for choice in found)
    return found if good else ()


def _unlisted(text: str) -> tuple[str, ...]:
    match = UNLISTED.search(text)
    if match is None or not _is_first_comma(text, match):
        return ()
    return _pair(match.group(1), match.group(2))


def _is_first_comma(text: str, match: re.Match[str]) -> bool:
    """Whether no comma stands before the names: it may begin a third one, or belong to a name."""
    return "," not in text[: match.start()]


def _compared(text: str) -> tuple[str, ...]:
    match = COMPARED.match(text)
    if match is None or not COMPARISON.search(match.group(3)):
        return ()
    return _pair(match.group(1), match.group(2))


def _pair(first: str, second: str) -> tuple[str, ...]:
    found = tuple(choice.strip(" ?.“”\"'") for choice in (first, second))
    return found if all(found) else ()


def _named(choice: str) -> bool:
    return bool(re.search(r"[A-Z0-9]", choice))


def _may_be_choice(choice: str) -> bool:
    n_words = len(choice.split())
    if CLAUSE.match(choice) and not choice[0].isupper():
        return False
    return n_words <= (CHOICE_WORDS if _named(choice) else PLAIN_WORDS)
