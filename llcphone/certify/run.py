"""Asks the questions in their order, and writes the report and the fixture after each.

So a run that ends in any way leaves a report of what it found, and ``--continue`` asks the rest.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import trio
from attrs import define, evolve, field

import llcphone
from llcphone.call.model_leg import NO_SESSION, failure_word
from llcphone.certify import fixtures, results
from llcphone.certify.answer import Unanswered
from llcphone.certify.fixtures import Pseudonyms
from llcphone.certify.formats import find_dialect
from llcphone.certify.question import Part
from llcphone.certify.report import advice, markdown
from llcphone.certify.results import ANSWERED, UNANSWERED, Report, Result
from llcphone.certify.talk import Allowance
from llcphone.certify.telephone.line import open_line
from llcphone.runtime.atomic_write import replace_file
from llcphone.runtime.containment import contained

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from llcphone.certify.plan import Plan
    from llcphone.certify.question import Question
    from llcphone.certify.site import Site

    Tell = Callable[[str], None]

JSON, MARKDOWN, FIXTURES = "report.json", "report.md", "fixtures"


def started(plan: Plan, site: Site) -> Report:
    """The report of a run that begins now."""
    return Report(
        date=_utc(site.now()),
        version=llcphone.__version__,
        model=site.config.realtime.model,
        results=tuple(Result(id=each.id) for each in plan.questions),
    )


def folder_name(date: str) -> str:
    """The name of a run's folder: its date without what some file systems refuse."""
    return date.replace(":", "-")


def last_reports(base: Path) -> list[tuple[Path, Report]]:
    """The readable reports of former runs with their folders, the newest last."""
    read = ((path.parent, results.decode(path.read_bytes())) for path in base.glob(f"*/{JSON}"))
    found = [(folder, report) for folder, report in read if report is not None]
    return sorted(found, key=lambda each: each[1].date)


@define(eq=False, kw_only=True)
class Run:
    """One run of ``llcphone certify``."""

    plan: Plan
    site: Site
    folder: Path
    """Its own; made if it does not exist."""
    report: Report
    former: Sequence[Report] = ()
    """Reports of earlier runs, the newest last, to compare with."""
    tell: Tell
    pseudonyms: Pseudonyms = field(init=False)

    @pseudonyms.default
    def _of_deployment(self) -> Pseudonyms:
        return Pseudonyms.of(self.site.config)

    async def ask_all(self) -> None:
        """Ask what has no answer yet. The report is written whatever ends it.

        Raises:
            ConfigError: a setting is in the way of calls; nothing was asked.
        """
        async with self._line():
            (self.folder / FIXTURES).mkdir(parents=True, exist_ok=True)
            try:
                for question in self.plan.questions:
                    if question.id in self.report.left:
                        await self._ask(question)
                self.report = evolve(self.report, finished=True)
            finally:
                self.write()

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[None]:
        """The number, if questions about calls are left."""
        if not any(each.bound.calls for each in self.plan.questions if each.id in self.report.left):
            yield
            return
        async with open_line(self.site.config, self.plan.to, self.site.recording) as self.site.line:
            yield

    async def _ask(self, question: Question) -> None:
        site = self.site
        site.recording.begin()
        site.allowance = Allowance(question.bound.responses)
        site.seconds = Allowance(question.bound.live_s)
        began_s = trio.current_time()
        if question.part is Part.MODEL and question.id != "dialect":
            await find_dialect(site)
        self.tell(f"{question.id}: {question.how}")
        try:
            result = await _asked(question, site)
        finally:
            content = fixtures.lines(site.recording, self.pseudonyms)
            replace_file(self.folder / FIXTURES / f"{question.id}.jsonl", content)
        result = evolve(result, at=_utc(site.now()), took_s=trio.current_time() - began_s)
        self.report = self.report.with_result(result)
        self.write()
        self.tell(f"  {result.word or result.status}: {self.pseudonyms.text(result.seen)}")
        if result.status == ANSWERED:
            for line in advice(result, question, site.config):
                self.tell(f"  {line}")

    def write(self) -> None:
        """Write the report as far as it is, without personal details."""
        content = self.pseudonyms.text(self.report.encode().decode())
        replace_file(self.folder / JSON, content.encode())
        text = markdown(self.report, self.plan.questions, self.site.config, self.former)
        replace_file(self.folder / MARKDOWN, self.pseudonyms.text(text).encode())


async def _asked(question: Question, site: Site) -> Result:
    """The result of one question; what is in the way of an answer is no error."""
    with trio.move_on_after(question.limit_s), contained() as failure:
        answer = await question.ask(site)
        return Result(
            id=question.id,
            status=ANSWERED,
            word=answer.word,
            seen=answer.seen,
            settings=answer.settings,
            facts=answer.facts,
        )
    return Result(id=question.id, status=UNANSWERED, seen=_why(failure))


def _why(failure: contained) -> str:
    """Why there is no answer, in words that may be shown."""
    error = failure.error
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if error is None:
        return "no answer in time"
    if isinstance(error, Unanswered):
        return error.code
    if isinstance(error, NO_SESSION):
        return failure_word(error)
    return f"something unforeseen: {', '.join(failure.kinds)}"


def _utc(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
