"""Asks the 20 questions of examples/ over the sample site and prints a Markdown table.

    .venv/bin/python benchmarks/sample_questions.py [--model NAME] [--only 1,5,9]

"right" compares the whole answer with the expected one and its aliases after SQuAD's
normalisation; "quoted" says whether every citation's quote stands on the page it cites.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import string
import sys
from dataclasses import dataclass
from typing import Any

from edge_agent.agent.records import Limits, Run, Task
from edge_agent.catalog.catalog import SMALL_MODEL
from edge_agent.catalog.progress import silent
from edge_agent.cli.house import House, open_house
from edge_agent.cli.reach import Reach, library_at
from edge_agent.cli.sample import DEMO_LIBRARY, examples_dir, sample_site
from edge_agent.config import load_settings
from edge_agent.store.journal import open_journal
from edge_agent.store.pages import PageStore
from edge_agent.tools.browse.browser import Browser
from edge_agent.tools.web.client import WebClient
from edge_agent.tools.web.site import Site

LIMITS = Limits(steps=8, seconds=240)


@dataclass(frozen=True, slots=True)
class Row:
    """One question's outcome."""

    number: int
    pages: int
    expected: str
    run: Run
    right: bool
    quoted: bool

    def line(self) -> str:
        run = self.run
        read = run.usage.prompt_tokens - run.usage.cached_tokens
        cells = (
            self.number, self.pages, self.expected, run.answer, "yes" if self.right else "no",
            "yes" if self.quoted else "no", len(run.steps), f"{run.usage.seconds:.0f}", run.reason,
            run.usage.completion_tokens, read,
        )  # fmt: skip
        return "| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |"


HEAD = (
    "| # | pages | expected | answer | right | quoted | steps | seconds | reason | written | read |"
    "\n|---|---|---|---|---|---|---|---|---|---|---|"
)


def normalised(text: str) -> str:
    """Lower case, no punctuation, no articles, single spaces (SQuAD's evaluation script)."""
    bare = "".join(char for char in text.lower() if char not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


async def ask(house: House, browser: Browser, number: int, question: dict[str, Any]) -> Row:
    run = await house.agent.run(Task(question["question"], limits=LIMITS))
    golds = {normalised(text) for text in (question["answer"], *question["aliases"])}
    pages = {c.url: (await browser.fetch(c.url)).text for c in run.citations}
    quoted = bool(run.citations) and all(c.quote in pages[c.url] for c in run.citations)
    right = normalised(run.answer) in golds
    return Row(number, len(question["gold_titles"]), question["answer"], run, right, quoted)


async def main(model: str, only: set[int]) -> None:
    settings = load_settings(model=model)
    folder = sample_site()
    lines = (examples_dir() / "questions.jsonl").read_text("utf-8").splitlines()
    rows: list[Row] = []
    with Site(folder) as site:
        reach = Reach(
            {DEMO_LIBRARY: library_at(DEMO_LIBRARY, folder, settings, site.url)},
            (),
            False,
            (site.host,),
        )
        journal = open_journal(settings.data_dir / "journal.sqlite")
        async with open_house(settings, reach, say, silent) as house, WebClient([site.host]) as web:
            browser = Browser(web, PageStore(journal))
            print(HEAD)
            for number, text in enumerate(lines, 1):
                if not only or number in only:
                    rows.append(await ask(house, browser, number, json.loads(text)))
                    print(rows[-1].line(), flush=True)
        journal.close()
    seconds = statistics.median(row.run.usage.seconds for row in rows)
    right, quoted = sum(row.right for row in rows), sum(row.quoted for row in rows)
    print(f"\n{right} of {len(rows)} right, {quoted} with every quote on its page,", end=" ")
    print(f"median {seconds:.0f} s")


def say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=SMALL_MODEL)
    parser.add_argument("--only", default="", help="numbers of questions, with commas")
    given = parser.parse_args()
    asyncio.run(main(given.model, {int(n) for n in given.only.split(",") if n}))
