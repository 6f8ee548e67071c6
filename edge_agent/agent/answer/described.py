"""What a question describes without naming it, by the general grammar of English questions.

"Where was the director of Glass Harbour born?" asks two things: who directed Glass Harbour, and
where that person was born. The inner one is found here, word for word, so that it can be asked by
itself and its answer put in its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from edge_agent.agent.answer.question import AUXILIARIES, PARTICLES, PREPOSITIONS, WH, asked

MOST_CHARS = 500  # a longer text is no question of one sentence, and slow to look through
CLAUSE_WORDS = 8
CAPITAL = r"[A-Z0-9À-Þ]"
RELATIVE = (
    r"(?:(?:in|on|at|from|for|by|to|of|with|under|during) which|where|that|which|who|whom|whose"
    r"|when)"
)
NO_NOUN = (
    rf"(?:of|in|on|at|by|to|for|from|with|{RELATIVE}|{AUXILIARIES}|{WH}|and|or|the|an?|than|as|not"
    r"|it[’']?s|his|her|their)"
)
NOUN = rf"(?!{NO_NOUN}\b)[a-z][a-z'’-]*"
# "the director of ...", "the city where ..."
TIED = re.compile(rf"\bthe\s+((?:{NOUN}\s+){{1,4}}?)(of|{RELATIVE})\s+")
# "Lena Tarr's husband"
NAME = rf"(?:[\"“'(]?{CAPITAL}[^\s,?]*\s+(?:{PARTICLES}\s+)*)*[\"“'(]?{CAPITAL}[^\s,?]*?"
NAME_IN = re.compile(rf"\b{CAPITAL}[^\s,?]*(?:\s+(?:{PARTICLES}\s+)*{CAPITAL}[^\s,?]*)*")
OWN = r"(?:birth|death|origin|residence|citizenship)"
OWNED = re.compile(rf"({NAME})(?:[’']s|(?<=s)[’'])\s+((?:{NOUN}\s*){{1,3}}(?:of {OWN})?)")
BRACKETS = re.compile(r"\s\([^()]*\)")  # which tell one work from another of its name
INITIAL = re.compile(r"^(?:[A-ZÀ-Þ]\.)+$|^(?:[JS]r|St|Dr|Mt|Ft)\.$")
WITHIN_NAME = re.compile(rf"{PARTICLES}|over|under|from|with|without|against|between|behind|upon")
BEGINS_NAME = re.compile(rf"[\"“'(]?{CAPITAL}")
# what a name has before it: "of the film Glass Harbour"
BEFORE_NAME = re.compile(rf"(?:(?:the|an?)\s+)?(?:{NOUN}\s+){{0,2}}")
# where a clause in the middle of a question ends, at its verb: "the city where she was born ..."
DONE = (
    r"(?:located|situated|born|based|set|found|founded|formed|held|buried|raised|published"
    r"|released|filmed|built|recorded|created|made|produced|written)"
)
ENDS_CLAUSE = re.compile(
    rf"\b(?:(?:is|was|are|were|been|being)\s+(?:[a-z]+ly\s+)?(?:{DONE}|from)|lives?|lived|died|lies?|lay"
    r"|stands?|comes? from)\b"
)
BEHIND_CLAUSE = re.compile(rf"\s+(?:in|on|at|of|by)\s+(?:the\s+)?(?:{CAPITAL}[^\s,?]*\s*)+")
# what may follow a name that is whole: "the winner of the Golden Shoe" is not over before "award"
BEHIND_NAME = re.compile(
    rf"^(?:$|[,?;:.]|(?:{AUXILIARIES}|{WH}|{RELATIVE}|{DONE}|in|on|at|by|to|for|from|with|and|or|as"
    r"|when|while|before|after|during|[a-z]+ed)\b)"
)
# behind an owner these are no part of what is owned
NOT_OWNED = re.compile(rf"^(?:{DONE}|[a-z]+ed|first|last|also|still|ever|most)$")
# the verb of the question behind a clause: "was the man who founded it born?"
LAST_DONE = re.compile(
    rf"(?<!\bis)(?<!\bwas)(?<!\bwere)\s(?:{DONE}|taken|given|known|won|lost|sold|bought|shot|chosen|[a-z]+ed)"
    r"(?=$|\s(?:in|on|at|by|to|from|as|with|into|for)\b)"
)
BEGINS_DONE = re.compile(rf"\b(?:is|was|are|were)\s+the\s+(?:{NOUN}\s+){{1,4}}{RELATIVE}\s+$")
# which of several a thing is, and no name: "the gale of 1893". But "the director of 1917"
FIGURES = re.compile(r"^[\d\W]+$")
ASKS = re.compile(rf"\s+(?:{PREPOSITIONS}\s+)?{WH}\b", re.IGNORECASE)
WITH_DO = re.compile(r"\b(?:did|do|does)\b", re.IGNORECASE)
MANY = re.compile(r"(?:[^su]s|people|men|women|children)$")  # none of which is meant alone
# heads that are no thing of their own: asking for them is asking the question itself
ABSTRACT = re.compile(
    r"(?:\b(?:names?|date|place|year|time|day|number|part|end|beginning|start|voice|role|title"
    r"|cover|kind|type|form|age|size|area|population|percentage|length|height|rest|lot|use|cause"
    r"|result|birth|death|history|lyrics|meaning|word|term|most|rank|basis|purpose|era|reign"
    # and what only says what kind of thing the name is: "the island of Oahu"
    r"|island|town|city|village|county|state|province|region|district|municipality|duchy|kingdom"
    r"|republic|river|battle|university|office)"
    r"|[a-z]+(?:ness|ing|tion|ment))$"
)
THINGS = re.compile(
    r"(?:government|parliament|monument|institution|association|organi[sz]ation|corporation"
    r"|federation|foundation|nation|station|publication|building|king"
    rf"|(?:country|state|county|city|town|village) of {OWN})$"
)
PERSON = re.compile(
    r"(?:[a-z]{3,}(?:er|or|ist|ian|ess|man)|\b(?:man|woman|wife|husband|spouse|son|grandson|child|uncle"
    r"|aunt|nephew|niece|king|queen|star|individual|person|president|student|friend|parent|saint"
    r"|monarch|head|chief|champion))$"
)
NO_PERSON = re.compile(
    r"(?:river|water|number|letter|order|chapter|paper|tower|border|cent(?:er|re)|theat(?:er|re)"
    r"|weather|manor|floor|colou?r|harbou?r|power|corner|quarter|sector|motor|tractor)$"
)
# what may stand around a description without asking anything of what is described
ASKS_NOTHING = re.compile(
    rf"^(?:{WH}|{AUXILIARIES}|be|been|in|on|at|of|by|to|for|from|the|an?|it|its|this|that|there"
    r"|called|named?|known|as|also|please|tell|me|\d+)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Described:
    """A description in a question.

    start, end: its characters. asks: the question for it alone. name: what it describes it by.
    """

    start: int
    end: int
    asks: str
    name: str

    def put(self, question: str, name: str) -> str:
        """The question with a name in place of the description."""
        return f"{question[: self.start]}{name}{question[self.end :]}"


@dataclass(frozen=True, slots=True)
class Span:
    """Characters of a question, and the noun they describe: "director"."""

    start: int
    end: int
    noun: str

    def holds(self, other: Span) -> bool:
        return self != other and self.start <= other.start and other.end <= self.end


def described(question: str) -> Described | None:
    """The innermost description by a name, of several the last; None where nothing more is asked
    of what is described than what it is."""
    if len(question) > MOST_CHARS or not asked(question).opened:
        return None
    spans = [span for span in _spans(question) if _is_asked_about(question, span)]
    inner = [span for span in spans if not any(span.holds(other) for other in spans)]
    if not inner:
        return None
    last = max(inner, key=lambda span: span.start)
    lead = "Who" if _is_person(last.noun) else "What"
    text = question[last.start : last.end]
    return Described(last.start, last.end, f"{lead} is {text}?", _name_in(text))


def _spans(question: str) -> Iterator[Span]:
    for match in TIED.finditer(question):
        noun, begins = match.group(1).strip(), match.end()
        by_name = match.group(2) == "of"
        if MANY.search(noun) or (by_name and _is_abstract(noun)):
            continue
        end = (_end_of_name if by_name else _end_of_clause)(question, begins)
        if end is None or not has_name(question[begins:end]):
            continue
        if not by_name or _is_person(noun) or not FIGURES.match(question[begins:end]):
            yield Span(match.start(), end, noun)
    for match in OWNED.finditer(question):
        owned = _owned(match.group(2), _with_do(question, match.start()))
        if owned and not _is_abstract(owned) and not MANY.search(owned):
            yield Span(match.start(), match.start(2) + len(owned), owned)


def _with_do(question: str, before: int) -> bool:
    """Whether the verb of what stands there comes behind it: "did Lena Tarr's husband die"."""
    return WITH_DO.search(question[:before]) is not None


def _owned(behind: str, with_do: bool) -> str:
    """The nouns behind an owner, without the verb that "did" leaves behind its subject."""
    text = behind.rstrip()
    while text and NOT_OWNED.match(text.split()[-1]):
        text = _without_last(text)
    if with_do and " " in text and " of " not in text:
        text = _without_last(text)
    return text


def _without_last(text: str) -> str:
    return re.sub(r"\s*\S+$", "", text)


def _is_abstract(noun: str) -> bool:
    return bool(ABSTRACT.search(noun)) and not THINGS.search(noun)


def _is_person(noun: str) -> bool:
    return bool(PERSON.search(noun)) and not NO_PERSON.search(noun)


def has_name(text: str) -> bool:
    """Whether a word begins as names do, with a capital letter or a digit."""
    return any(BEGINS_NAME.match(word) for word in text.split())


def _name_in(text: str) -> str:
    """The longest name in a text, without its quotes and the sign of its owning something."""
    found = NAME_IN.finditer(BRACKETS.sub("", text))
    names = (re.sub(r"[\"”’')]+s?$", "", name.group()) for name in found)
    return max(names, key=len, default="")


def _end_of_name(question: str, begins: int) -> int | None:
    """Behind the name that stands there: words with capitals, and particles between them. None
    where the name is only the beginning of what is described."""
    before = BEFORE_NAME.match(question, begins)
    at = end = before.end() if before else begins
    for match in re.finditer(r"[^\s(]+", question[at:].split(" (")[0]):
        word = match.group()
        bare = word.rstrip("?,") if INITIAL.match(word) else word.rstrip("?,.")
        if BEGINS_NAME.match(word):
            end = at + match.start() + len(bare)
        elif end == at or not WITHIN_NAME.fullmatch(word):
            break
        if bare != word:
            break
    if aside := BRACKETS.match(question, end):
        end = aside.end()
    whole = BEHIND_NAME.match(question[end:].lstrip()) or _with_do(question, begins)
    return end if whole else None


def _end_of_clause(question: str, begins: int) -> int | None:
    """Behind the verb of a clause that goes on, else where the sentence or its part ends. None
    where a comma stands inside the clause."""
    clause = re.split(r",\s|\?", question[begins:])[0].rstrip()
    for verb in ENDS_CLAUSE.finditer(clause):
        if has_name(clause[: verb.start()]):
            more = BEHIND_CLAUSE.match(clause, verb.end())
            return begins + len(clause[: more.end() if more else verb.end()].rstrip())
    end = begins + len(clause)
    if BEGINS_DONE.search(question[:begins]):
        done = (verb.start() for verb in LAST_DONE.finditer(clause))
        end = begins + next((at for at in done if _is_clause(clause[:at])), len(clause))
    goes_on = question[end : end + 1] == "," and not ASKS.match(question[end + 1 :])
    return None if goes_on else end


def _is_clause(text: str) -> bool:
    """Whether a text may be all of a clause: it has a name, and is too short for a second verb."""
    return has_name(text) and len(text.split()) <= CLAUSE_WORDS


def _is_asked_about(question: str, span: Span) -> bool:
    rest = f"{question[: span.start]} {question[span.end :]}".split()
    bare = (word.strip("?,.;:\"'“”()") for word in rest)
    return any(word and not ASKS_NOTHING.match(word) for word in bare)
