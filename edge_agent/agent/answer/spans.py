"""Dates and numbers as they stand in a text, letter for letter."""

from __future__ import annotations

import re
from collections.abc import Iterable

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
MONTH = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December"
    r"|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?)"
)
DAY = r"(?:[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?"
ERA = r"(?:BCE?|CE|AD|B\.C\.|A\.D\.)"
YEAR = r"(?:1\d{3}|20\d{2})"
DATE = re.compile(
    r"(?<![\w.,/$€£-])(?:"
    rf"{DAY}(?: of)? {MONTH}(?:,? \d{{3,4}}(?!\d))?"
    rf"|{MONTH} {DAY}(?!\d)(?:,? \d{{3,4}}(?!\d))?"
    rf"|{MONTH},? \d{{4}}"
    r"|\d{4}-\d{2}-\d{2}"
    rf"|(?:early |mid[ -]|late )?\d{{1,2}}(?:st|nd|rd|th) century(?: {ERA})?"
    rf"|\d{{1,4}} {ERA}"
    rf"|(?:early |mid[ -]|late )?(?:the )?(?:1\d{{2}}|20\d)0s"
    rf"|{YEAR}(?!\d|[.,]\d|-\d|%)"
    r")(?!\w)"
)
SCALE = r"(?:hundred|thousand|million|billion|trillion|dozen)"
ONES = r"(?:one|two|three|four|five|six|seven|eight|nine)"
NUMBER_WORD = (
    r"(?:(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)"
    rf"(?:[- ]{ONES})?|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|{ONES})"
)
NUMBER = re.compile(
    rf"(?<![\w.,])(?:[$€£¥]\s?)?(?:\d+(?:[.,]\d+)*(?!\d)|{NUMBER_WORD}(?![a-z]))"
    rf"(?:[- ]{SCALE}\b)*(?:\s?%| per ?cent\b)?",
    re.IGNORECASE,
)
UNIT = re.compile(r"[ -]?([A-Za-z°²³µ][\w°²³/]*)")
YEAR_ALONE = re.compile(rf"(?<![\d.,])({YEAR})(?![\d]|[.,]\d)")
ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
Moment = tuple[int, int, int]  # year, month, day; 0 where it is not said


def dates(text: str) -> list[str]:
    """The dates of a text, each as far as it is stated: "5 May 1871", "May 1871", "1870s"."""
    return _once(match.group() for match in DATE.finditer(text))


def years(text: str) -> list[str]:
    """The years of a text, four digits each, those inside dates too."""
    return _once(YEAR_ALONE.findall(text))


def numbers(text: str) -> list[str]:
    """The numbers of a text, in digits or words; one with a word behind it also with that word."""
    taken = [match.span() for match in DATE.finditer(text) if not match.group().isdigit()]
    found: list[str] = []
    for match in NUMBER.finditer(text):
        if not any(start <= match.start() < end for start, end in taken):
            unit = UNIT.match(text, match.end())
            found += [match.group(), text[match.start() : unit.end()]] if unit else [match.group()]
    return _once(found)


def moment(date: str) -> Moment | None:
    """When a date is, to be compared; None without a year of four digits."""
    if iso := ISO.search(date):
        return int(iso[1]), int(iso[2]), int(iso[3])
    year = YEAR_ALONE.search(date)
    if year is None:
        return None
    month = next((i for i, name in enumerate(MONTHS, 1) if name[:3] in date), 0)
    day = re.search(rf"\b({DAY})\b", date.replace(year[1], ""))
    return int(year[1]), month, int(re.sub(r"\D", "", day[1])) if day and month else 0


def fullest(date: str, texts: Iterable[str]) -> str:
    """The date as exactly as one of the texts has it; as it is where they have several, or none."""
    known = moment(date)
    if known is None or known[2]:
        return date
    n_known = 2 if known[1] else 1
    found = [other for text in texts for other in dates(text)]
    fuller = {
        m: other
        for other in found
        if (m := moment(other)) and m[2] and m[:n_known] == known[:n_known]
    }
    return next(iter(fuller.values())) if len(fuller) == 1 else date


def _once(found: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(found))
