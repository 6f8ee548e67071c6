"""The sample library keeps its promises: its links lead somewhere and its answers are proved."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import trafilatura
from pypdf import PdfReader

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SITE = EXAMPLES / "site"
PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))

# Answers that follow from the quoted sentences but do not stand in them: a longer length,
# a difference of two years, and a yes or no.
COMPUTED = {"kelvoray-11", "kelvoray-12", "kelvoray-14"}


@dataclass(frozen=True, slots=True)
class Proof:
    page: str
    quote: str


@dataclass(frozen=True, slots=True)
class Question:
    id: str
    question: str
    answer: str
    aliases: tuple[str, ...]
    gold_titles: tuple[str, ...]
    proof: tuple[Proof, ...]

    @property
    def pages(self) -> list[str]:
        return list(dict.fromkeys(proof.page for proof in self.proof))


class Furniture(HTMLParser):
    """Collects what the tests ask of one page: its links, its elements and its title."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.metas: set[str] = set()
        self.title = ""
        self._in_title = False
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        self._in_title = tag == "title"
        self.links += [found[name] or "" for name in ("href", "src") if name in found]
        if tag == "meta" and found.get("content"):
            self.metas.add(found.get("name") or "")

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data


def squeezed(text: str) -> str:
    return " ".join(text.split())


@cache
def furniture(page: str) -> Furniture:
    return Furniture((SITE / page).read_text(encoding="utf-8"))


@cache
def extracted(page: str) -> str:
    """The text of a page as a reader without furniture sees it, whitespace normalised."""
    path = SITE / page
    if path.suffix == ".pdf":
        return squeezed(" ".join(sheet.extract_text() for sheet in PdfReader(path).pages))
    text = trafilatura.extract(path.read_text(encoding="utf-8"), include_tables=True)
    return squeezed(text or "")


def title(page: str) -> str:
    if page.endswith(".pdf"):
        metadata = PdfReader(SITE / page).metadata
        return (metadata.title if metadata else None) or ""
    return squeezed(furniture(page).title)


def targets(page: str) -> set[str]:
    """The files of the site, relative to its root, that a page points at."""
    paths = {unquote(urlsplit(link).path) for link in furniture(page).links}
    found = {((SITE / page).parent / path).resolve() for path in paths if path}
    return {path.relative_to(SITE).as_posix() for path in found}


def questions() -> list[Question]:
    lines = (EXAMPLES / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [question(json.loads(line)) for line in lines]


def question(row: dict[str, object]) -> Question:
    fields: dict[str, object] = dict(row)
    proof = fields.pop("proof")
    assert isinstance(proof, list)
    return Question(**fields, proof=tuple(Proof(**one) for one in proof))  # type: ignore[arg-type]


def reachable(start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        page = waiting.pop()
        if page not in seen:
            seen.add(page)
            waiting += [target for target in targets(page) if target.endswith(".html")]
    return seen


def names(found: Iterable[Question]) -> list[str]:
    return [one.id for one in found]


QUESTIONS = questions()


def test_the_site_has_at_least_forty_pages_and_stays_small() -> None:
    assert len(PAGES) >= 40
    assert sum(path.stat().st_size for path in SITE.rglob("*") if path.is_file()) < 600_000


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_stays_on_the_site_and_resolves(page: str) -> None:
    assert not [link for link in furniture(page).links if urlsplit(link).scheme]
    assert not [target for target in targets(page) if not (SITE / target).is_file()]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_has_what_real_pages_have(page: str) -> None:
    found = furniture(page)
    assert title(page)
    assert {"description", "date"} <= found.metas
    assert {"header", "nav", "main", "article", "h1", "aside", "footer"} <= found.tags


def test_every_page_is_reached_from_the_index() -> None:
    assert reachable("index.html") == set(PAGES)


def test_no_two_pages_share_a_title() -> None:
    assert len({title(page) for page in PAGES}) == len(PAGES)


def test_the_furniture_of_a_page_is_not_taken_for_its_text() -> None:
    assert not [page for page in PAGES if "one cookie, to remember whether" in extracted(page)]


def test_several_pages_are_long_enough_for_ranking_to_matter() -> None:
    assert sum(len(extracted(page).split()) > 1400 for page in PAGES) >= 5


def test_there_are_twenty_questions_with_ids_of_their_own() -> None:
    assert len(QUESTIONS) == len(set(names(QUESTIONS))) == 20


def test_at_least_twelve_questions_need_two_pages() -> None:
    assert sum(len(one.pages) >= 2 for one in QUESTIONS) >= 12


@pytest.mark.parametrize("one", QUESTIONS, ids=names(QUESTIONS))
def test_every_proof_stands_on_its_page(one: Question) -> None:
    assert not [p for p in one.proof if squeezed(p.quote) not in extracted(p.page)]


@pytest.mark.parametrize("one", QUESTIONS, ids=names(QUESTIONS))
def test_gold_titles_are_the_titles_of_the_proving_pages(one: Question) -> None:
    assert list(one.gold_titles) == [title(page) for page in one.pages]


@pytest.mark.parametrize("one", QUESTIONS, ids=names(QUESTIONS))
def test_an_answer_stands_in_its_proof_unless_it_is_computed(one: Question) -> None:
    pattern = rf"(?<!\w){re.escape(one.answer)}(?!\w)"
    stands = any(re.search(pattern, proof.quote) for proof in one.proof)
    assert stands or one.id in COMPUTED


@pytest.mark.parametrize("one", QUESTIONS, ids=names(QUESTIONS))
def test_a_question_does_not_give_its_answer_away(one: Question) -> None:
    assert one.id == "kelvoray-11" or one.answer.lower() not in one.question.lower().split()
