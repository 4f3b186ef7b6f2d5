"""``llcphone demo``: whole calls over loopback, no account needed, and a verdict on them.

A caller rings and is answered; then two calls are placed, one to a guest who answers, one to a busy line.

The other files: ``script`` the story, ``stage`` the processes that hold it and ``scene`` a
call as it goes on, ``facts`` what the parties report, ``waterfall``, ``report`` and
``report_outbound`` what follows from it, ``view`` how a person sees it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio
from rich.console import Console

from llcphone.demo import script as story
from llcphone.demo.facts import Facts, OutboundFacts
from llcphone.demo.report import judge
from llcphone.demo.report_outbound import judge_outbound
from llcphone.demo.scene import Scene
from llcphone.demo.stage import Stage
from llcphone.demo.view import WIDTH, CallView, show_checks, show_files, show_verdict, show_waterfall
from llcphone.demo.waterfall import waterfall
from llcphone.errors import ConfigError
from llcphone.sim.wav import SpeechFileError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CALL_LIMIT_S = 150.0
"""For all calls, on top of the length of the user's own recordings."""

FILES = {
    "call.wav": "what was said (left) and heard (right), in true time",
    "timeline.jsonl": "what happened, in ms since the call was born",
    "record.json": "the call record",
    "call-outbound.wav": "the call we placed",
    "timeline-outbound.jsonl": "its timeline",
    "record-outbound.json": "its record",
}


def run_demo(
    out: Path,
    *,
    caller: Sequence[Path] = (),
    dialect: str = "ga",
    inbound_only: bool = False,
    quiet: bool = False,
    model_faults: Mapping[str, Any] | None = None,
) -> int:
    """Hold the calls, show them, write their files; returns the exit code, 0 only if every check holds.

    Args:
        out: folder for the files, see ``FILES``; made if it is missing.
        caller: speech files that replace the scripted caller's; fewer checks apply.
        dialect: what the simulated Realtime API speaks, ``ga`` or ``flat``.
        inbound_only: place no calls.
        quiet: show the summary only.
        model_faults: fields of ``llcphone.sim.model.Faults``, to see the demo fail.

    Raises:
        ConfigError: a speech file cannot be read.
    """
    console = Console(highlight=False, width=WIDTH)
    speech_s = _length_s(caller)
    out.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        (out / name).unlink(missing_ok=True)  # an earlier run's must not pass for this one's
    stage = Stage(
        out.resolve(),
        [str(file.resolve()) for file in caller],
        dialect,
        dict(model_faults or {}),
        CallView(Console(quiet=True) if quiet else console),
        Scene(Facts(own=bool(caller))),
        None if inbound_only else OutboundFacts(),
    )
    interrupted = False
    try:
        trio.run(partial(stage.hold_calls, CALL_LIMIT_S + speech_s))
    except* KeyboardInterrupt:
        interrupted = True
    if interrupted:
        console.print("interrupted")
        return 130
    return _conclude(stage, console)


def _length_s(files: Sequence[Path]) -> float:
    """How long the user's own recordings are, in seconds."""
    try:
        return sum(len(line.load()) / 8000 for line in story.own_lines(files))
    except (OSError, SpeechFileError) as exc:
        raise ConfigError("--caller", f"cannot be used: {exc}") from None


def _conclude(stage: Stage, console: Console) -> int:
    """Write the files, say how it went; returns the exit code."""
    out, inbound, outbound = stage.out, stage.inbound, stage.outbound
    inbound.write(out / "timeline.jsonl", out / "record.json")
    if stage.guest is not None:
        stage.guest.write(out / "timeline-outbound.jsonl", out / "record-outbound.json")
    answers, checks = waterfall(inbound.facts), judge(inbound.facts)
    placed = [] if outbound is None else judge_outbound(outbound)
    if outbound is not None:
        answers += [
            attrs.evolve(answer, title=f"{answer.title}, to the guest we rang")
            for answer in waterfall(outbound.guest)
        ]
    show_waterfall(console, answers)
    show_checks(console, "The call that came in", checks)
    if stage.caller:
        console.print("  With your own recordings, tools and interruptions are not asked for.")
    if placed:
        show_checks(console, "The calls we placed", placed)
    show_verdict(console, [*checks, *placed])
    show_files(console, {out / name: what for name, what in FILES.items() if (out / name).exists()})
    return 0 if all(check.ok for check in [*checks, *placed]) else 1
