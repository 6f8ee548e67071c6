"""What a person sees in the terminal: progress of a download, the steps of a run, its answer."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)

from edge_agent.agent.records import (
    Answered,
    NoteTaken,
    Run,
    RunEvent,
    RunStarted,
    StepStarted,
    TextDelta,
    ThoughtDelta,
    ToolCalled,
    ToolReturned,
)
from edge_agent.catalog.progress import Step

NOTE_LINES = 3  # of a note's facts that are shown
LINE_CHARS = 160


class Bar:
    """A progress bar per thing a pull does, on `console`, while the `with` block runs."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._tasks:
            self._progress.stop()

    def __call__(self, step: Step) -> None:
        """See `catalog.progress.Progress`."""
        if not self._tasks:
            self._progress.start()  # not before: an empty bar leaves an empty line
        if not self._tasks:
            self._progress.start()
        if step.what not in self._tasks:
            for task in self._tasks.values():
                self._progress.update(task, visible=False)
            self._tasks[step.what] = self._progress.add_task(escape(step.what), total=None)
        self._progress.update(self._tasks[step.what], completed=step.done, total=step.total or None)


class RunPrinter:
    """Prints a run's events as they come."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._midline = False

    def show(self, event: RunEvent) -> None:
        """One event. Thoughts and text run on as they are written."""
        if isinstance(event, RunStarted):
            self._line(f"[bold]{escape(event.task)}[/]  [dim]{event.id}, {event.model}[/]")
        elif isinstance(event, StepStarted):
            self._line(f"\n[bold cyan]Step {event.step}[/]")
        elif isinstance(event, (ThoughtDelta, TextDelta)):
            self._written(event.text)
        elif isinstance(event, ToolCalled):
            arguments = ", ".join(f"{k}={_short(v)}" for k, v in event.arguments.items() if v)
            self._line(f"  [yellow]{event.tool}[/] {escape(arguments)}")
        elif isinstance(event, ToolReturned):
            color = "red" if event.error else "green"
            self._line(f"    [{color}]{escape(_short(event.result))}[/]")
        elif isinstance(event, NoteTaken):
            for line in event.note.text.splitlines()[: NOTE_LINES + 1]:
                self._line(f"    [dim]{escape(_short(line))}[/]")
        elif isinstance(event, Answered):
            self._answer(event.run)

    def _answer(self, run: Run) -> None:
        self._line(f"\n[bold green]Answer:[/] [bold]{escape(run.answer)}[/]")
        for i, citation in enumerate(run.citations, 1):
            self._line(f"  [{i}] “{escape(citation.quote)}”")
            self._line(f"      {escape(citation.title)} — {escape(citation.url)}")
        usage = run.usage
        self._line(
            f"[dim]{run.status} ({run.reason}) by {run.model}: {len(run.steps)} steps, "
            f"{usage.tool_calls} tool calls, {usage.completion_tokens} tokens written, "
            f"{usage.prompt_tokens - usage.cached_tokens} read, {usage.seconds:.1f} s[/]"
        )

    def _written(self, text: str) -> None:
        indent = "" if self._midline else "  "
        self._console.print(f"{indent}[italic]{escape(text)}[/]", end="", soft_wrap=True)
        self._midline = not text.endswith("\n")

    def _line(self, text: str) -> None:
        if self._midline:
            self._console.print()
            self._midline = False
        self._console.print(text, soft_wrap=True, highlight=False)


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= LINE_CHARS else text[: LINE_CHARS - 1] + "…"
