"""``llcphone certify``: ask a live account what documentation leaves open.

It shows first what it will do, on whose account, and the most that it costs; nothing is sent before a person
agrees. Exit codes: 0 every question was answered, 1 some were not, 2 a setting is wrong or nobody agreed,
130 Ctrl-C (the report has what was found until then; ``--continue`` asks the rest).
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import attrs
import trio
from cyclopts import Parameter

from llcphone import settings
from llcphone.certify.plan import lines, plan, usual_parts
from llcphone.certify.results import ANSWERED
from llcphone.certify.run import Run, folder_name, last_reports, started
from llcphone.certify.site import Site
from llcphone.certify.telephone.line import check_ready
from llcphone.cli.mistakes import INTERRUPTED, REFUSED
from llcphone.cli.options import AsJson, ConfigPath, number_of
from llcphone.errors import ConfigError
from llcphone.telemetry.logs import configure_logs
from llcphone.telemetry.redaction import secrets_of

Tell = Callable[[str], None]
DEFAULT_FOLDER = Path("certification")


async def certify(
    *,
    to: str = "",
    only: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    long: bool = False,
    folder: Path = DEFAULT_FOLDER,
    resume: Annotated[bool, Parameter(name="--continue")] = False,
    config: ConfigPath = None,
    yes: Annotated[bool, Parameter(help="agree to the plan and its cost")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask your account the open questions of docs/reliability.md, and write a report with the right settings.

    Your number calls itself: stop the server, and let its calls come here (llcphone number set-webhook).

    Args:
        to: another number of the account that is called.
        only: ids of questions, or parts: model, telephone, live (GPT-Live).
        long: also the questions that take an hour or more.
        folder: reports are kept here, each in a folder named by its date.
        resume: ask what the last run left without an answer.
    """
    loaded = settings.load(config).config
    configure_logs(attrs.evolve(loaded.log, level="error"), secrets_of(loaded))
    if not loaded.realtime.api_key:
        raise ConfigError("realtime.api_key", "is not set", "set OPENAI_API_KEY in .env")
    tell = _to_stderr if as_json else print
    site = Site(config=loaded)
    callee = number_of(to, "--to") if to else loaded.twilio.phone_number
    chosen = plan(only or usual_parts(loaded), long=long, to=callee)
    if chosen.places_calls:
        check_ready(loaded)
    former = last_reports(folder)
    report = started(chosen, site)
    own = folder / folder_name(report.date)
    if resume:
        if not former:
            raise ConfigError("--continue", f"there is no report in {folder}", "leave it out")
        own, last = former.pop()
        chosen = plan([each.id for each in last.results], to=callee)
        report = last
        if not report.left:
            raise ConfigError("--continue", "the last run has answered everything", "leave it out")
    for line in lines(chosen, loaded, str(own)):
        tell(line)
    if not yes and not _agreed(tell):
        sys.exit(REFUSED)
    earlier = [each for _, each in former]
    run = Run(plan=chosen, site=site, folder=own, report=report, former=earlier, tell=tell)
    interrupted = await _until_signal(run)
    tell(f"report: {own}/report.md")
    if as_json:
        print(run.report.encode().decode(), end="")
    if interrupted:
        sys.exit(INTERRUPTED)
    sys.exit(0 if all(each.status == ANSWERED for each in run.report.results) else 1)


async def _until_signal(run: Run) -> bool:
    """Ask everything, or until Ctrl-C or SIGTERM; True: it was a signal."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:

            async def obey() -> None:
                async for _ in signals:
                    nursery.cancel_scope.cancel(reason="a signal")
                    return

            nursery.start_soon(obey, name="signals")
            await run.ask_all()
            nursery.cancel_scope.cancel(reason="all was asked")
    return not run.report.finished


def _agreed(tell: Tell) -> bool:
    if not sys.stdin.isatty():
        tell("Nothing was sent: there is no terminal to ask at. --yes agrees.")
        return False
    if input("Type yes to begin: ").strip().lower() == "yes":
        return True
    tell("Nothing was sent.")
    return False


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)
