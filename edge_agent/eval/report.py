"""An evaluation as a page to read and as one object for a program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edge_agent.eval.measures import Marks, Measures, Spread
from edge_agent.eval.trajectory import trajectory
from edge_agent.eval.trial import Scored

SHOWN = 2  # trajectories of right answers, and as many of wrong ones
CELL_CHARS = 120
DIGITS = 4


@dataclass(frozen=True, slots=True)
class Report:
    """machine: in words of bench.machine. settings: what the evaluation was told."""

    machine: Mapping[str, Any]
    settings: Mapping[str, Any]
    measures: Measures
    lines: Sequence[Scored]


def report_as_json(report: Report) -> dict[str, Any]:
    """`n`, `em`, `f1`, `reasons` and every other figure, then `settings` and `machine`."""
    figures: dict[str, Any] = _rounded(asdict(report.measures))
    return {**figures, "settings": dict(report.settings), "machine": dict(report.machine)}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return round(value, DIGITS) if isinstance(value, float) else value


def report_as_markdown(report: Report) -> str:
    """The whole page."""
    measures, settings = report.measures, report.settings
    due = measures.n * measures.k
    open_ = "" if measures.tries == due else f" Unfinished: {measures.tries} of {due} tries."
    parts = [
        f"# {settings['arm']} on {settings['questions']}",
        f"EM {measures.em:.3f}, F1 {measures.f1:.3f} ± {measures.f1_within:.3f} (95 %), "
        f"n = {measures.n}, {measures.seconds.median:.1f} s a question (median).{open_}",
        "## Figures",
        _table(("figure", "value"), figures(measures)),
        "## By reason",
        _table(("reason", "tries", "EM", "F1"), _mark_rows(measures.by_reason)),
        *_kinds(measures),
        "## Settings",
        _table(("setting", "value"), _plain_rows(settings)),
        "## Machine",
        _table(("", ""), _plain_rows(report.machine)),
        "## Every try",
        _table(
            ("question", "expected", "answer", "EM", "F1", "reason", "s"), _try_rows(report.lines)
        ),
        "## Some tries to read",
        *map(trajectory, _chosen(report.lines)),
    ]
    return "\n\n".join(parts) + "\n"


def figures(measures: Measures) -> list[tuple[str, str]]:
    """Rows of name and value, for a table."""
    rates, inside = measures.rates, measures.without_environment
    rows = [
        ("questions", str(measures.n)),
        (f"exact match (avg@{measures.k})", f"{measures.em:.3f}"),
        (f"F1 (avg@{measures.k})", f"{measures.f1:.3f} ± {measures.f1_within:.3f}"),
        ("environment failures (counted as wrong above)", str(measures.environment_failures)),
    ]
    if measures.environment_failures:
        rows.append((f"EM, F1 without them (n = {inside.n})", f"{inside.em:.3f}, {inside.f1:.3f}"))
    if measures.k > 1:
        rows += [(f"pass@{at}", f"{value:.3f}") for at, value in measures.pass_at.items()]
        vote = measures.vote
        rows.append((f"vote@{measures.k} EM, F1", f"{vote.em:.3f}, {vote.f1:.3f}"))
    return [
        *rows,
        ("seconds", _spread(measures.seconds, 1)),
        ("tokens generated", _spread(measures.generated_tokens)),
        ("tokens prefilled", _spread(measures.prefilled_tokens)),
        ("tokens re-prefilled", _spread(measures.reprefilled_tokens)),
        ("turns", _spread(measures.turns, 1)),
        ("tool calls", _spread(measures.tool_calls, 1)),
        ("loop rate (repeated actions)", _share(rates.loop)),
        ("invalid-call rate", _share(rates.invalid_call)),
        ("forced-answer rate", _share(rates.forced_answer)),
        ("re-prefilled tokens per turn", _number(rates.reprefilled_per_turn)),
        (f"citation precision ({measures.citations} quotes)", _share(rates.citation_precision)),
    ]


def _spread(spread: Spread, digits: int = 0) -> str:
    return f"mean {spread.mean:.{digits}f}, median {spread.median:.{digits}f}"


def _share(rate: float | None) -> str:
    return "none" if rate is None else f"{100 * rate:.1f} %"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.1f}"


def _kinds(measures: Measures) -> list[str]:
    if not measures.by_kind:
        return []
    return ["## By type", _table(("type", "tries", "EM", "F1"), _mark_rows(measures.by_kind))]


def _mark_rows(groups: Mapping[str, Marks]) -> list[tuple[str, ...]]:
    return [(name, str(m.n), f"{m.em:.3f}", f"{m.f1:.3f}") for name, m in groups.items()]


def _plain_rows(values: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [(key, str(value)) for key, value in values.items() if value not in (None, "", [])]


def _try_rows(lines: Iterable[Scored]) -> list[tuple[str, ...]]:
    return [(one.question, one.expected, one.answer, *_outcome(one)) for one in lines]


def _outcome(line: Scored) -> tuple[str, ...]:
    return (f"{line.em:.0f}", f"{line.f1:.2f}", line.reason, f"{line.seconds:.1f}")


def _chosen(lines: Sequence[Scored]) -> list[Scored]:
    """The first right answers and the first wrong ones."""
    right = _one_each([line for line in lines if line.em == 1])
    return right[:SHOWN] + _one_each([line for line in lines if line.em < 1])[:SHOWN]


def _one_each(lines: Sequence[Scored]) -> list[Scored]:
    """The first try at each question."""
    first = {line.id: line for line in reversed(lines)}
    return [line for line in lines if line is first[line.id]]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(text: str) -> str:
    line = " ".join(text.split()).replace("|", "\\|")
    return line if len(line) <= CELL_CHARS else line[: CELL_CHARS - 1] + "…"
