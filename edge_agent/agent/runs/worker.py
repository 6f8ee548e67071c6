"""The work on one run, from where it stands to its end."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any

from edge_agent.agent.answer.answer import Answer
from edge_agent.agent.answer.wording import NOT_FOUND, is_missing
from edge_agent.agent.explore.budget import Budget
from edge_agent.agent.explore.ending import Ending
from edge_agent.agent.explore.loop import Explorer
from edge_agent.agent.records import Reason, Run, Status
from edge_agent.agent.refine.evidence import Evidence, as_text
from edge_agent.agent.runs.attempts import Attempts
from edge_agent.agent.runs.calls import CallBook
from edge_agent.agent.runs.codec import ResultCodec
from edge_agent.agent.runs.kit import Kit
from edge_agent.agent.runs.recorder import Recorder
from edge_agent.agent.runs.structured import Structurer
from edge_agent.agent.runs.work import Work
from edge_agent.errors import EdgeAgentError, StoreError

log = logging.getLogger(__name__)


class Worker:
    """Explores and answers, over what all runs share."""

    def __init__(self, kit: Kit, work: Work, codec: ResultCodec) -> None:
        self._kit = kit
        self._work = work
        self._budget = Budget(work.task.limits)
        self._budget.restore(work.state.usage, len(work.state.steps))
        self._book = CallBook(work.journal, codec, work.made, work.read)
        self._recorder = Recorder(work.journal, codec, self._budget, self._book, work.state.steps)

    async def work(self) -> Run:
        """The run with its end, whatever happens on the way."""
        task = self._work.task
        try:
            if task.n > 1 or task.fresh_attempts:
                return await self._voted()
            explorer = self._explorer()
            return await self._answered(explorer, await self._explored(explorer))
        except EdgeAgentError as error:
            return self.ended("failed", "env_error", f"No answer: {error}")
        except Exception as error:  # a defect of ours ends the run, never the one who waits for it
            log.exception("run %s ended by a defect", self._work.id)
            text = f"No answer: an internal error ended the run ({type(error).__name__})."
            return self.ended("failed", "env_error", text)

    def _explorer(self) -> Explorer:
        """The loop, where the run stands. Raises NotFound when its library is no longer there."""
        work = self._work
        tools = self._book.recorded(self._kit.tools(work.task))
        recorder = self._recorder
        explorer = self._kit.explorer(
            work.question, tools, self._budget, recorder.emit, recorder.record
        )
        explorer.restore(work.state)
        recorder.watch(explorer.evidence)
        return explorer

    async def _explored(self, explorer: Explorer) -> Ending:
        state = self._work.state
        if state.reason is not None:
            return Ending(state.reason, state.answer)
        try:
            ending = await explorer.explore()
        except StoreError as error:  # no page can be kept: what was read is still good
            log.error("run %s stops exploring: %s", self._work.id, error)
            if not len(explorer.evidence):
                raise
            ending = Ending("env_error")
        self._recorder.end(ending)
        return ending

    async def _answered(self, explorer: Explorer, ending: Ending) -> Run:
        if not len(explorer.evidence):
            return replace(self._without_evidence(ending), tried=explorer.tried)
        try:
            answer = await explorer.answer(ending)
        except asyncio.TimeoutError:
            run = self.ended("completed", "time_limit", NOT_FOUND, forced=True)
            return replace(run, tried=explorer.tried)
        status: Status = "failed" if ending.reason == "env_error" else "completed"
        run = self.ended(status, ending.reason, answer.text, forced=ending.forced)
        run = replace(run, tried=explorer.tried, **_proof(answer))
        return await self._shaped(run, explorer.evidence)

    async def _voted(self) -> Run:
        """The run with the answer that won."""
        outcome = await Attempts(self._kit, self._work, self._budget, self._book).run()
        won = outcome.winner
        self._recorder.adopt(won.steps, won.evidence)
        ending = won.ending or Ending(won.reason)
        if won.answer is None and not len(won.evidence):
            run = self._without_evidence(ending)
        else:
            run = self.ended("completed", ending.reason, won.text, forced=ending.forced)
        proof = _proof(won.answer) if won.answer else {}
        run = replace(run, tried=won.searched, rollouts=outcome.rollouts, **proof)
        return await self._shaped(run, won.evidence)

    async def _shaped(self, run: Run, evidence: Evidence) -> Run:
        """The run with its answer in the shape that the task asked for, if it did."""
        schema = self._work.task.output_schema
        if schema is None or is_missing(run.answer):  # nothing is made up to fill a schema
            return run
        question = self._work.question
        found = f"{question} {run.answer}"
        facts = as_text(self._kit.answerer().closest(found, evidence)) if len(evidence) else ""
        structurer = Structurer(self._kit.chat)
        value, usage = await structurer.write(schema, question, run.answer, facts)
        self._budget.add(usage)
        run = replace(run, output=value, usage=self._budget.usage())
        return run if value is not None else replace(run, reason="format_error")

    def _without_evidence(self, ending: Ending) -> Run:
        """Nothing was read: an answer of the model's own stands uncited, else say what failed."""
        errors = [a.error for step in self._recorder.steps for a in step.actions if a.error]
        because = f": {errors[-1]}" if errors else ""
        text = ending.answer or f"{NOT_FOUND}{because}"
        failed = ending.reason == "tool_failed" or (bool(errors) and not ending.answer)
        reason: Reason = "tool_failed" if failed else ending.reason
        return self.ended("failed" if failed else "completed", reason, text)

    def ended(self, status: Status, reason: Reason, answer: str, forced: bool = False) -> Run:
        """The record of the run as it stands now."""
        work = self._work
        return Run(
            id=work.id,
            task=work.task.task,
            model=work.model,
            status=status,
            reason=reason,
            answer=answer,
            citations=(),
            steps=tuple(self._recorder.steps),
            usage=self._budget.usage(),
            created_at=work.created_at,
            forced=forced,
            follows=work.task.follows,
        )


def _proof(answer: Answer) -> dict[str, Any]:
    """The fields of a run that speak for its answer, or against it."""
    verdict = answer.verdict
    return {
        "citations": answer.citations,
        "claims": answer.claims,
        "verified": verdict.accepted if verdict else None,
        "remarks": (verdict.remark,) if verdict and verdict.remark else (),
    }
