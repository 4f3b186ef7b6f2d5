"""``llcphone torture``: the calls that break bridges, with a score; ours, or any other by its profile."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter
from rich.console import Console

from llcphone.cli import torture_agent
from llcphone.cli.mistakes import in_one_line
from llcphone.cli.options import Count
from llcphone.torture.judge import Finding, score
from llcphone.torture.profile import Profile, ProfileError, read_profile
from llcphone.torture.report import STYLE, as_json, listing, table
from llcphone.torture.run import JOBS, chosen, run_trials

Dialects = Literal["ga", "flat", "both"]
STREAM_DEADLINE_S = 4.0
"""Our own default is a minute (``call.token_ttl_s``), which no trial can wait for."""


def own_profile(dialect: Dialects = "ga") -> Profile:
    """Our own server, as it is installed: default settings but for the vendors' addresses."""
    return Profile(
        name="llcphone",
        dialect=dialect,
        cmd=["{python}", "-m", "llcphone", "serve", "--agent", str(torture_agent.__file__)],
        env={
            "LLCPHONE_REALTIME__URL": "{model_url}",
            "LLCPHONE_TWILIO__API_URL": "{twilio_url}",
            "LLCPHONE_CALL__TOKEN_TTL_S": str(STREAM_DEADLINE_S),
            "LLCPHONE_LOG__LEVEL": "warning",
        },
        slow_tools=["look_up", "check_stock"],
        tool_s=torture_agent.TOOL_S,
        signatures=True,
        tokens=True,
        stream_deadline_s=STREAM_DEADLINE_S,
    )


async def torture(
    *,
    profile: Path | None = None,
    cmd: str = "",
    webhook: str = "/twiml",
    dialect: Dialects = "ga",
    only: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    out: Annotated[Path | None, Parameter(name="--json")] = None,
    jobs: Count = JOBS,
    list_: Annotated[bool, Parameter(name="--list")] = False,
) -> None:
    """Try a bridge with the calls that break bridges; no account needed. Exit code 0 only if it is perfect.

    Args:
        profile: a JSON file that says how to start another bridge; docs/torture.md has its fields.
        cmd: instead of a profile, the command of another bridge, with {port} and {model_url} in it.
        webhook: the voice webhook's path, with --cmd.
        dialect: what the simulated Realtime API speaks; a profile names its own.
        only: names of trials, or their beginnings.
        out: a file for the results as JSON.
        jobs: trials at a time; 1 is slow and exact.
        list_: list the trials, and run none.
    """
    screen = Console()
    with in_one_line([ProfileError]):
        trials = chosen(only or [])
        if list_:
            screen.print(listing(trials))
            return
        bridge = own_profile(dialect)
        if profile is not None:
            with in_one_line([ProfileError], fix="docs/torture.md has the fields of a profile"):
                bridge = read_profile(profile)
        elif cmd:
            bridge = Profile(name=cmd, cmd=cmd, webhook=webhook, dialect=dialect)
        _check_program(bridge)

        def tell(found: Finding) -> None:
            line = f"{found.verdict.value:8} {found.name:22} {found.measured or found.reading}"
            screen.print(line, style=STYLE[found.verdict], highlight=False, markup=False, soft_wrap=True)

        findings = await run_trials(bridge, trials, jobs=jobs, tell=tell)
    screen.print(table(bridge.name, findings))
    if out is not None:
        out.write_text(
            json.dumps(msgspec.to_builtins(as_json(bridge.name, findings)), indent=2) + "\n", "utf-8"
        )
    passed, counted = score(findings)
    sys.exit(0 if passed == counted else 1)


def _check_program(bridge: Profile) -> None:
    """A bridge that cannot be started is said at once, and also when no trial would start it."""
    try:
        program = next(iter(bridge.words()), "")
    except ValueError as error:
        raise ProfileError(
            f"the command {bridge.name} cannot be read: {error}. Fix: close its quotes"
        ) from None
    if "{" not in program and shutil.which(program) is None:
        raise ProfileError(f"there is no program {program!r}. Fix: check the bridge's command")
