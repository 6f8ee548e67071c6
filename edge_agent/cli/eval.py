"""`edge-agent eval`: measure answers on questions whose answers are known."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from edge_agent import __version__
from edge_agent.agent.explore.profile import profile as profile_named
from edge_agent.agent.records import Limits, Task
from edge_agent.bench.machine import describe_machine
from edge_agent.chat.seeded import SeededChat
from edge_agent.cli.engine_options import KvTypeName
from edge_agent.cli.eval_options import (
    ArmName,
    FreshAttempts,
    Limit,
    Out,
    Questions,
    Rollouts,
    Seed,
    Tries,
    Variations,
    Warmth,
    Without,
)
from edge_agent.cli.house import Fetched, House, fetch, opened, over
from edge_agent.cli.loaded import Loaded
from edge_agent.cli.options import (
    DEFAULT_LIMITS,
    AsJson,
    Backend,
    BackendKeyEnv,
    BackendModel,
    CtxSize,
    Libraries,
    Model,
    ProfileName,
    SearchUrls,
    Seconds,
    Steps,
    Threads,
    TokenLimit,
)
from edge_agent.cli.reach import Reach, reach_of
from edge_agent.cli.show import Bar
from edge_agent.cli.terminal import guarded, print_json, say, settings_of, stderr
from edge_agent.config import Settings
from edge_agent.errors import ConfigError, RequestError
from edge_agent.eval.arms.table import ARMS, Means
from edge_agent.eval.ledger import Ledger
from edge_agent.eval.measures import measure
from edge_agent.eval.pages import ToolPages
from edge_agent.eval.question import Question, QuestionFile, drawn, read_questions
from edge_agent.eval.report import Report, figures, report_as_json, report_as_markdown
from edge_agent.eval.runner import Runner
from edge_agent.eval.variant import varied
from edge_agent.eval.without import ChatWithout, known, weights


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured: on which questions, by which arm, how often.

    warmth: the temperature in place of greedy, or None. variations: changes of the profile.
    without: parts that are taken away (`eval.without`).
    """

    file: QuestionFile
    questions: Sequence[Question]
    arm: str
    k: int
    seed: int | None
    warmth: float | None
    task: Task
    variations: Sequence[str]
    without: frozenset[str]
    folder: Path

    @property
    def searches(self) -> bool:
        """Whether the arm has to search: not from memory, nor with gold paragraphs at hand."""
        given = self.arm == "oracle" and all(question.gold for question in self.questions)
        return self.arm != "closed-book" and not given


def evaluate(
    questions: Questions,
    library: Libraries = None,
    search: SearchUrls = None,
    model: Model = None,
    limit: Limit = None,
    seed: Seed = None,
    k: Tries = 1,
    arm: ArmName = "agent",
    out: Out = None,
    as_json: AsJson = False,
    profile: ProfileName = None,
    backend: Backend = None,
    backend_model: BackendModel = None,
    backend_key_env: BackendKeyEnv = None,
    steps: Steps = DEFAULT_LIMITS.steps,
    tokens: TokenLimit = DEFAULT_LIMITS.tokens,
    seconds: Seconds = DEFAULT_LIMITS.seconds,
    temp: Warmth = 0.7,
    rollouts: Rollouts = 1,
    fresh_attempts: FreshAttempts = 0,
    variation: Variations = None,
    without: Without = None,
    ctx_size: CtxSize = None,
    threads: Threads = None,
    kv_type: KvTypeName = None,
) -> None:
    """Ask questions whose answers are known, and measure how often, how fast and how an answer is
    right. The exit status does not depend on the figures."""
    settings = settings_of(
        model=model,
        ctx_size=ctx_size,
        threads=threads,
        backend=backend,
        backend_model=backend_model,
        backend_key_env=backend_key_env,
        profile=profile,
        kv_type=kv_type,
    )

    # ended from outside, it still leaves a report of what it has
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    def work() -> Report:
        file = read_questions(questions)
        limits = Limits(steps, tokens, seconds)
        plan = Plan(
            file,
            drawn(file.questions, limit, seed),
            _known(arm),
            k,
            seed,
            temp if k > 1 else None,
            Task("", limits=limits, n=rollouts, fresh_attempts=fresh_attempts),
            variation or [],
            known(without or []),
            (out or _fresh_folder(settings)).expanduser(),
        )
        return _evaluate(settings, _reach(settings, library or [], search or [], plan), plan)

    report = guarded(work)
    if as_json:
        print_json(report_as_json(report))
    else:
        _print(report, Console())


def _known(arm: str) -> str:
    if arm not in ARMS:
        raise RequestError(f"There is no arm {arm!r}: use one of {', '.join(ARMS)}.", "arm")
    return arm


def _reach(settings: Settings, libraries: list[str], search: list[str], plan: Plan) -> Reach:
    """Only what was named: a measurement never asks the open web by itself."""
    reach = replace(reach_of(settings, libraries, search), web_search=False)
    if plan.searches and not reach.libraries and not reach.search_urls:
        raise ConfigError(
            f"The arm {plan.arm} has nothing to search: name --search URL or --library FOLDER."
        )
    return reach


def _fresh_folder(settings: Settings) -> Path:
    now = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S-%f")
    return settings.data_dir / "eval" / now


def _evaluate(settings: Settings, reach: Reach, plan: Plan) -> Report:
    machine = _machine()
    with Bar(stderr()) as bar:
        fetched = fetch(settings, say, bar)
    # the folder has the journal of its runs too, apart from a person's own
    settings = settings.model_copy(update={"data_dir": plan.folder})
    return asyncio.run(_measured(settings, reach, plan, fetched, machine))


async def _measured(
    settings: Settings, reach: Reach, plan: Plan, fetched: Fetched, machine: dict[str, Any]
) -> Report:
    async with opened(fetched, settings, say) as loaded:
        name = settings.profile or loaded.profile
        way = varied(profile_named(name), plan.variations)
        told = _told(settings, reach, plan, loaded, name)
        ledger = Ledger(plan.folder, told)
        if ledger.lines:
            say(f"{len(ledger.lines)} tries are in {plan.folder} already.")
        less = ChatWithout(loaded.chat, plan.without)
        chat = SeededChat(less, loaded.sampling, plan.warmth)
        async with over(
            replace(loaded, chat=chat),
            way,
            settings,
            reach,
            fetched.embedder,
            weights(plan.without),
        ) as house:
            arm = ARMS[plan.arm](_means(house, plan.task))
            runner = Runner(arm, chat, ledger, plan.seed, say, lambda: _is_alive(loaded))
            try:
                await runner.run(plan.questions, plan.k)
            finally:  # also of an evaluation that was stopped
                report = _reported(machine, {**told, "window": chat.n_ctx}, plan, ledger)
    return report


def _is_alive(loaded: Loaded) -> bool:
    return loaded.health().state != "failed"


def _reported(machine: dict[str, Any], told: dict[str, Any], plan: Plan, ledger: Ledger) -> Report:
    lines = ledger.of(question.id for question in plan.questions)
    report = Report(machine, told, measure(lines, len(plan.questions), plan.k), lines)
    ledger.write_report(report_as_markdown(report))
    say(f"The tries and a report are in {plan.folder}.")
    return report


def _means(house: House, task: Task) -> Means:
    def stored(url: str) -> str | None:
        page = house.pages.latest(url)
        return None if page is None else page.text

    return Means(house.chat, ToolPages(lambda: house.tools_for(None)), house.agent, task, stored)


def _told(
    settings: Settings, reach: Reach, plan: Plan, loaded: Loaded, profile: str
) -> dict[str, Any]:
    """What must be the same for tries to be of one evaluation. Plain JSON values only.

    How many questions is no part of it: a larger --limit goes on with more of them.
    """
    limits = plan.task.limits
    return {
        "arm": plan.arm,
        "questions": plan.file.name,
        "questions_sha256": plan.file.sha256,
        "k": plan.k,
        "seed": plan.seed,
        "temperature": plan.warmth,
        "model": loaded.chat.name,
        "model_bytes": loaded.size,
        "ctx_size": settings.ctx_size,
        "profile": profile,
        "set": list(plan.variations),
        "without": sorted(plan.without),
        "search": list(reach.search_urls),
        "libraries": [str(shelf.name) for shelf in reach.libraries.values()],
        "steps": limits.steps,
        "tokens": limits.tokens,
        "seconds": limits.seconds,
        "rollouts": plan.task.n,
        "fresh_attempts": plan.task.fresh_attempts,
        "kv_type": settings.kv_type,
        "backend": settings.backend,
        "version": __version__,
    }


def _machine() -> dict[str, Any]:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    known = describe_machine("", load)
    return {key: value for key, value in known.items() if value not in (None, "")}


def _print(report: Report, console: Console) -> None:
    table = Table("figure", "value", box=None)
    for name, value in figures(report.measures):
        table.add_row(name, value)
    reasons = ", ".join(f"{name} {n}" for name, n in report.measures.reasons.items())
    table.add_row("reasons", reasons)
    console.print(table)
