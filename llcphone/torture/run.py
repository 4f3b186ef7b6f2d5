"""Runs trials, several at a time, each on a rig of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from llcphone.sim.twilio import CallOver
from llcphone.torture import trials_hearing, trials_leaks, trials_loss, trials_server, trials_tools
from llcphone.torture.bridge import start_process
from llcphone.torture.judge import Finding, Judge
from llcphone.torture.profile import ProfileError
from llcphone.torture.rig import GaveUp, open_rig
from llcphone.torture.trials import TRIALS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from llcphone.torture.bridge import Bridge
    from llcphone.torture.profile import Place, Profile
    from llcphone.torture.trials import Trial

    Start = Callable[[Profile, Place], AbstractAsyncContextManager[Bridge]]

_ROOMS = (trials_hearing, trials_leaks, trials_loss, trials_server, trials_tools)
"""Importing them fills the registry."""
JOBS = 3
"""Trials at a time: on two cores, three leave enough time for each other."""


def chosen(names: Sequence[str]) -> list[Trial]:
    """The trials of these names or beginnings of names, in order; all, if none is given.

    Raises:
        ProfileError: a name that no trial has.
    """
    found: set[str] = set()
    for name in names:
        matching = {each for each in TRIALS if each == name or each.startswith(f"{name}-")}
        if not matching:
            raise ProfileError(f"no trial is named {name}; there are: {', '.join(sorted(TRIALS))}")
        found |= matching
    return [TRIALS[name] for name in sorted(TRIALS) if not names or name in found]


async def run_trials(
    profile: Profile,
    trials: Sequence[Trial],
    *,
    jobs: int = JOBS,
    tell: Callable[[Finding], None] = lambda _: None,
    start: Start = start_process,
) -> list[Finding]:
    """Try a bridge; the findings, in the order of the trials. One with a fixed port is tried one by one.

    Raises:
        ProfileError: the bridge does not start.
    """
    findings: dict[str, Finding] = {}
    limit = trio.CapacityLimiter(1 if profile.port else jobs)

    async def run(trial: Trial) -> None:
        async with limit:
            findings[trial.name] = found = await run_trial(profile, trial, start)
        tell(found)

    try:
        async with trio.open_nursery() as nursery:
            for trial in trials:
                if not trial.alone:
                    nursery.start_soon(run, trial, name=f"trial {trial.name}")
        for trial in trials:
            if trial.alone:
                await run(trial)
    except* ProfileError as errors:
        raise _first(errors) from None
    return [findings[trial.name] for trial in trials]


async def run_trial(profile: Profile, trial: Trial, start: Start = start_process) -> Finding:
    """One trial on a rig of its own; whatever the bridge does is a finding.

    Raises:
        ProfileError: the bridge does not start.
    """
    judge = Judge()
    began_at = trio.current_time()
    if trial.needs is not None and not getattr(profile, trial.needs):
        judge.not_applicable(f"the profile names no {trial.needs}")
    else:
        try:
            with trio.move_on_after(trial.limit_s) as scope:
                async with open_rig(profile, start, script=trial.script(profile), pace=trial.pace) as rig:
                    try:
                        await trial.run(rig, judge)
                    finally:
                        judge.must(
                            not rig.bridge.has_ended or trial.may_end, "the bridge's process has ended"
                        )
            judge.must(not scope.cancelled_caught, f"not over after {trial.limit_s:g} s")
        except* GaveUp as errors:
            judge.must(False, str(_first(errors)))
        except* CallOver as errors:
            judge.must(False, f"the line was cut {_why(errors)}".strip())
    return Finding(
        name=trial.name,
        title=trial.title,
        verdict=judge.verdict,
        measured=judge.measured,
        bar=trial.bar,
        reading=judge.reading,
        figures=judge.figures,
        took_s=round(trio.current_time() - began_at, 1),
    )


def _why(group: BaseExceptionGroup[CallOver]) -> str:
    """What Twilio's debugger says of it."""
    over = _first(group)
    assert isinstance(over, CallOver)
    return ", ".join(f"(Twilio error {each.code}: {each.text})" for each in over.record.errors[:2])


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    """The first single exception of a group of groups."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, Exception)
    return found
